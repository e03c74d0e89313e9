// Where weights of two bytes lie as the native panel products read them: [outputs / 16, inputs / 2, 16 outputs, 2 inputs].

/** Outputs and inputs of packed weights are padded with zeros to a multiple of this. */
const PADDING = 32;

export const paddedToPairs = (size: number): number => Math.ceil(size / PADDING) * PADDING;

/** Where the packed row of output `o` starts; its pairs of inputs lie 32 elements apart. */
export const pairRowStart = (o: number, paddedInputs: number): number =>
  (o >> 4) * 16 * paddedInputs + (o & 15) * 2;
export const offsetInPairRow = (i: number): number => (i >> 1) * 32 + (i & 1);
