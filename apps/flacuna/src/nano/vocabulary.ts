// The closed vocabulary of the nano world: names and common nouns, as plain lists. Which goes with which is decided in world.ts.

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Invented countries. */
export const COUNTRIES = words(`
  Velmora Tarvia Osland Brenia Kelmar Sorvan Dravia Munland Peloria Zandor Halvia Norrick Lumeria Fendal Quorria
  Bastonia Ilmar Corvania Wendland Galdor
`);

/** Invented cities, one capital for each country. */
export const CITIES = words(`
  Tarsk Belo Minster Oakdale Ravenport Sunfield Korvel Lindale Mardon Fairhill Stonebridge Winmar Astol Greyford Pelham
  Dunmore Harrow Vestin Elmsworth Calder
`);

/** Invented rivers. */
export const RIVERS = words("Aldo Bren Cerva Dorn Elva Fenn Gorla Hest Ivel Jarra");

/** First names. */
export const NAMES = words(`
  Anna Ben Carla David Emma Frank Grace Henry Ivy Jack Kate Leo Maria Nick Olga Peter
`);

/** Family names of the famous people. */
export const SURNAMES = words("Varn Holt Mercer Quill Sand Brook Tully Frost");

/** Names of the rulers in the history books. */
export const RULERS = words("Oran Edda Balin Freya Gorm Helga Ivar Jarl Kara Lothar");

/** Colours. */
export const COLORS = words("red blue green yellow black white brown orange purple pink");

/** Months. */
export const MONTHS = words(
  "January February March April May June July August September October November December",
);

/** Days of the week. */
export const DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday");

/** Things people buy, own and count. */
export const GOODS = words("apples pears books pens cups hats coins eggs cakes lamps chairs shirts");

/** Numbers in words, from zero on. */
export const NUMBER_WORDS = words(
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty",
);

/** Sports with what their players do, for plausibility questions. */
export const SPORT_ACTIONS: Readonly<Record<string, readonly string[]>> = {
  soccer: ["scored a goal", "took a corner kick", "got a red card"],
  tennis: ["served an ace", "won the second set", "hit a backhand"],
  swimming: ["swam two laps", "dived into the pool", "won the butterfly race"],
  skiing: ["skied down the slope", "waxed the skis", "won the slalom"],
  cycling: ["rode up the hill", "changed a flat tire", "won the last stage"],
  baseball: ["hit a home run", "stole second base", "threw a curve ball"],
};
