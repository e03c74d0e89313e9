// The ten components of FLAN-MINI: names, sizes in the paper, and which `source` ids belong to each.

/** Names of the components, in the order of the paper's table. */
export type FlanMiniComponentName =
  | "flan2021"
  | "p3"
  | "niv2"
  | "cot"
  | "code_search"
  | "code_contest"
  | "apps"
  | "gpt4_alpaca"
  | "code_alpaca"
  | "sharegpt";

/** One component. */
export interface FlanMiniComponent {
  readonly name: FlanMiniComponentName;
  /** The name in the paper. */
  readonly title: string;
  /** Rows, to the thousand that the paper prints. */
  readonly paperSize: number;
  /** What its `source` ids look like; no id matches two components. */
  readonly sources: RegExp;
}

/** Flan 2021 uses TensorFlow Datasets' `name:version`, apart from these. */
const FLAN_2021 =
  /^(?!task\d).*:\d+\.\d+\.\d+$|^(?:fix_punct|true_case|word_segment|para_crawl_enes|huggingface:xsum|unified_qa_science_inst)$/;

/** P3's ids are a data set followed by the name of a prompt. */
const P3 =
  /^(?:adversarial_qa_(?:dbert|dbidaf|droberta)|app_reviews|cos_e_v1\.11|dbpedia_14|dream|duorc_(?:ParaphraseRC|SelfRC)|kilt_tasks_hotpotqa|qasc|quail|quarel|quartz|quoref|race_(?:high|middle)|ropes|sciq|social_i_qa|web_questions|wiki_bio|wiki_hop_original|wiki_qa|wiqa)_/;

/**
 * The components with the paper's sizes, which add up to 1,340 thousand; the released file has 1,340,153 rows.
 *
 * @see arXiv 2307.02053, table 1
 */
export const FLAN_MINI_COMPONENTS: readonly FlanMiniComponent[] = [
  { name: "flan2021", title: "Flan2021", paperSize: 388_000, sources: FLAN_2021 },
  { name: "p3", title: "Public Pool of Prompts", paperSize: 320_000, sources: P3 },
  { name: "niv2", title: "Natural Instructions v2", paperSize: 200_000, sources: /^task\d+_/ },
  { name: "cot", title: "CoT", paperSize: 100_000, sources: /^(?:cot|stream)_/ },
  { name: "code_search", title: "Code Search", paperSize: 100_000, sources: /^code_search$/ },
  { name: "code_contest", title: "Code Contest", paperSize: 50_000, sources: /^code_contest$/ },
  { name: "apps", title: "Apps", paperSize: 50_000, sources: /^apps$/ },
  { name: "gpt4_alpaca", title: "GPT4-Alpaca", paperSize: 52_000, sources: /^alpaca_gpt4$/ },
  { name: "code_alpaca", title: "Code-Alpaca", paperSize: 20_000, sources: /^code_alpaca$/ },
  { name: "sharegpt", title: "ShareGPT", paperSize: 60_000, sources: /^sharegpt$/ },
];

/** The component that a row's `source` belongs to; nothing for ids that FLAN-MINI does not have. */
export function componentOf(source: string): FlanMiniComponentName | undefined {
  return FLAN_MINI_COMPONENTS.find(({ sources }) => sources.test(source))?.name;
}
