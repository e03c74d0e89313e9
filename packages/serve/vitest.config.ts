// The shared settings; a poll waits for sockets, which a busy machine may delay.
import { mergeConfig } from "vitest/config";
import base from "../../vitest.base.ts";

export default mergeConfig(base, { test: { expect: { poll: { timeout: 20_000 } } } });
