// Which FLAN-MINI source ids the sample uses, and which problem families stand in for each.
import type { FamilyName } from "./families/catalogue.ts";

/** The ten components of FLAN-MINI. */
export type ComponentName =
  | "flan2021"
  | "p3"
  | "niv2"
  | "cot"
  | "code_search"
  | "code_contest"
  | "apps"
  | "alpaca_gpt4"
  | "code_alpaca"
  | "sharegpt";

/** Rows of each component in the released data set. @see Flacuna, table 1 */
export const PAPER_ROWS: Readonly<Record<ComponentName, number>> = {
  flan2021: 388_000,
  p3: 320_000,
  niv2: 200_000,
  cot: 100_000,
  code_search: 100_000,
  code_contest: 50_000,
  apps: 50_000,
  alpaca_gpt4: 52_000,
  code_alpaca: 20_000,
  sharegpt: 60_000,
};

type SourceTable = Readonly<Record<string, readonly FamilyName[]>>;

/** Turns "family: ids" lines into a table from id to its families. */
function byFamily(lines: Readonly<Partial<Record<FamilyName, string>>>): SourceTable {
  const table: Record<string, FamilyName[]> = {};
  for (const [family, ids] of Object.entries(lines) as [FamilyName, string][]) {
    for (const id of ids.trim().split(/\s+/)) table[id] = [...(table[id] ?? []), family];
  }
  return table;
}

/** Flan 2021 ids. */
export const FLAN2021_SOURCES = byFamily({
  quizFact: `ai2_arc/ARC-Challenge:1.0.0 ai2_arc/ARC-Easy:1.0.0 openbookqa:0.1.0 unified_qa_science_inst`,
  openFact: "natural_questions_open:1.0.0 trivia_qa/rc:1.1.0",
  passage: `drop:2.0.0 squad/v1.1:3.0.0 squad/v2.0:3.0.0 coqa:1.0.0 quac:1.0.0 super_glue/multirc:1.0.2
    super_glue/record:1.0.2`,
  counterfactual: "cosmos_qa:1.0.0 hellaswag:1.1.0 piqa:1.0.0 super_glue/copa:1.0.2",
  entailment: `anli/r1:0.1.0 anli/r2:0.1.0 bool_q:1.0.0 snli:1.1.0 super_glue/rte:1.0.2`,
  sentiment: "glue/sst2:2.0.0 imdb_reviews/plain_text:1.0.0 sentiment140:1.0.0",
  topic: "ag_news_subset:1.0.0 trec:1.0.0",
  arithmetic: "math_dataset/algebra__linear_1d:1.0.0",
  logicalDeduction: "winogrande:1.1.0 definite_pronoun_resolution:1.1.0",
  trueCase: "true_case",
  punctuation: "fix_punct",
  wordOrder: "word_segment",
  keywords: "gem/common_gen:1.1.0",
});

/** P3 ids. */
export const P3_SOURCES = byFamily({
  quizFact: `sciq_Multiple_Choice sciq_Multiple_Choice_Closed_Book_ qasc_qa_with_separated_facts_1
    cos_e_v1.11_question_description_option_id`,
  openFact:
    "sciq_Direct_Question_Closed_Book_ web_questions_get_the_answer wiki_qa_Direct_Answer_to_Question",
  passage: `adversarial_qa_dbert_based_on adversarial_qa_droberta_answer_the_following_q quoref_Find_Answer
    duorc_SelfRC_question_answering quail_context_question_description_text ropes_plain_background_situation`,
  counterfactual: `wiqa_effect_with_label_answer quartz_answer_question_below quarel_logic_test
    social_i_qa_Show_choices_and_generate_index quail_context_question_answer_description_id`,
  coloredObjects: "race_middle_Select_the_best_answer",
  table: "race_high_Select_the_best_answer",
  sentiment: "app_reviews_categorize_rating_using_review",
  topic: "dbpedia_14_given_a_choice_of_categories_",
  hyperbaton: "cos_e_v1.11_aligned_with_common_sense",
});

/** Natural Instructions ids. */
export const NIV2_SOURCES = byFamily({
  passage: "task028_drop_answer_generation task061_ropes_answer_generation",
  boolean: "task1507_boolean_temporal_reasoning",
  objectCounting: "task155_count_nouns_verbs",
  coloredObjects: "task083_babi_t1_single_supporting_fact_answer_generation",
  table: "task1564_triviaqa_answer_generation",
  wordSorting: "task509_collate_of_all_alphabetical_and_numerical_elements_in_list_separately",
  sports: "task116_com2sense_commonsense_reasoning",
  hyperbaton: "task089_swap_words_verification",
  logicalDeduction: "task1387_anli_r3_entailment",
  arithmetic: "task085_unnatural_addsub_arithmetic",
  pythonExpression: "task207_max_element_lists",
  quizFact: "task1286_openbookqa_question_answering task229_arc_answer_generation_hard",
  counterfactual: "task393_plausible_result_generation task828_copa_commonsense_cause_effect",
  entailment: "task190_snli_classification",
});

/** Chain-of-thought ids. */
export const COT_SOURCES = byFamily({
  passage: "cot_gsm8k cot_gsm8k_ii",
  objectCounting: "cot_gsm8k stream_aqua",
  boolean: "cot_strategyqa cot_strategyqa_ii",
  sports: "cot_strategyqa cot_creak",
  logicalDeduction: "stream_aqua stream_aqua_ii",
  entailment: "cot_esnli cot_esnli_ii",
  quizFact: "cot_qasc cot_qasc_ii cot_ecqa",
  counterfactual: "cot_sensemaking cot_ecqa_ii",
  sentiment: "cot_creak_ii",
  openFact: "stream_qed stream_qed_ii",
});

/** What Natural Instructions says about each family before the input. */
export const DEFINITIONS: Readonly<Partial<Record<FamilyName, string>>> = {
  passage: "Read the text and answer the question with words of the text or a number.",
  boolean: "Find the value of the expression.",
  objectCounting: "Count the things and answer with a number.",
  coloredObjects: "Look at the things and answer with a color.",
  table: "Read the table and answer with a number.",
  wordSorting: "Write the words in the order of the alphabet.",
  sports: "Answer with yes or no.",
  hyperbaton: "Choose the right order of the words.",
  logicalDeduction: "Read the text and find the right thing.",
  arithmetic: "Answer with a number.",
  pythonExpression: "Answer with the value of the Python code.",
  quizFact: "Choose the right answer.",
  counterfactual: "Choose what would have happened.",
  entailment: "Answer with yes, no or maybe.",
};
