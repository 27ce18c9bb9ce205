// What is said in a chat, as templates read it: by Hugging Face's names, which are those of the OpenAI API. Plain data.

/** What somebody said. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
  /** What a model thought before, where a template has a place for it. */
  readonly reasoning_content?: string;
  /** Tools that the assistant called. */
  readonly tool_calls?: readonly ToolCall[];
  /** Of a tool's answer: the call that it answers. */
  readonly tool_call_id?: string;
}

/** A call of a tool; its arguments are an object, or the text of what is none. */
export interface ToolCall {
  readonly id?: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: unknown };
}

/** A tool that may be called. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** A JSON schema of its arguments. */
    readonly parameters?: object;
  };
}
