// The subjects of MMLU by sub-category, and the sub-categories by category (hendrycks/test `categories.py`).

const SUBJECTS_BY_SUBCATEGORY = {
  math: [
    "abstract_algebra",
    "college_mathematics",
    "elementary_mathematics",
    "high_school_mathematics",
    "high_school_statistics",
  ],
  health: [
    "anatomy",
    "clinical_knowledge",
    "college_medicine",
    "human_aging",
    "medical_genetics",
    "nutrition",
    "professional_medicine",
    "virology",
  ],
  physics: ["astronomy", "college_physics", "conceptual_physics", "high_school_physics"],
  business: ["business_ethics", "management", "marketing"],
  biology: ["college_biology", "high_school_biology"],
  chemistry: ["college_chemistry", "high_school_chemistry"],
  "computer science": [
    "college_computer_science",
    "computer_security",
    "high_school_computer_science",
    "machine_learning",
  ],
  economics: ["econometrics", "high_school_macroeconomics", "high_school_microeconomics"],
  engineering: ["electrical_engineering"],
  philosophy: [
    "formal_logic",
    "logical_fallacies",
    "moral_disputes",
    "moral_scenarios",
    "philosophy",
    "world_religions",
  ],
  other: ["global_facts", "miscellaneous", "professional_accounting"],
  history: [
    "high_school_european_history",
    "high_school_us_history",
    "high_school_world_history",
    "prehistory",
  ],
  geography: ["high_school_geography"],
  politics: [
    "high_school_government_and_politics",
    "public_relations",
    "security_studies",
    "us_foreign_policy",
  ],
  psychology: ["high_school_psychology", "professional_psychology"],
  culture: ["human_sexuality", "sociology"],
  law: ["international_law", "jurisprudence", "professional_law"],
} as const;

type Subcategory = keyof typeof SUBJECTS_BY_SUBCATEGORY;

const SUBCATEGORIES_BY_CATEGORY: Readonly<Record<string, readonly Subcategory[]>> = {
  STEM: ["physics", "chemistry", "biology", "computer science", "math", "engineering"],
  humanities: ["history", "philosophy", "law"],
  "social sciences": ["politics", "culture", "economics", "geography", "psychology"],
  "other (business, health, misc.)": ["other", "business", "health"],
};

const SUBCATEGORY_BY_SUBJECT = invert(SUBJECTS_BY_SUBCATEGORY);
const CATEGORY_BY_SUBCATEGORY = invert(SUBCATEGORIES_BY_CATEGORY);

/** All 57 subjects, sorted. */
export const MMLU_SUBJECTS: readonly string[] = [...SUBCATEGORY_BY_SUBJECT.keys()].sort();

/** The sub-category of a subject, such as `math`; `undefined` for a subject that is not one of the 57. */
export function mmluSubcategory(subject: string): string | undefined {
  return SUBCATEGORY_BY_SUBJECT.get(subject);
}

/** The category of a subject, such as `STEM`; `undefined` for a subject that is not one of the 57. */
export function mmluCategory(subject: string): string | undefined {
  const subcategory = mmluSubcategory(subject);
  return subcategory === undefined ? undefined : CATEGORY_BY_SUBCATEGORY.get(subcategory);
}

function invert(lists: Readonly<Record<string, readonly string[]>>): Map<string, string> {
  return new Map(Object.entries(lists).flatMap(([name, members]) => members.map((member) => [member, name])));
}
