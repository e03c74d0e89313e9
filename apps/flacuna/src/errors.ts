// What the command line tells a user who asked for something that cannot be done.

/** An error with a code and a message meant for the user; shown on one line, without a stack. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
