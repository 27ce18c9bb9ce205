// How drawings sit on their page, and what they have in common. Drawings without Plot import this file and none of Plot's
// types.

/** How a drawing sits on its page. */
export interface DrawingOptions {
  /** Pixels; default 720. */
  width?: number;
  /** No background, and the page's text colour: for inlining where light and dark are handled. Default: a white card. */
  transparent?: boolean;
}

/** Pixels of a drawing for a phone; names stand above marks there, for beside them is no room. */
export const narrowWidth = 350;

/** Whether a drawing is for a phone. */
export const isNarrow = ({ width }: DrawingOptions) => width !== undefined && width < 500;

/** Type in every drawing: fonts that are there already. */
export const fontFamily = "system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif";

/** What lies behind marks, for outlines around text. */
export const paper = ({ transparent }: DrawingOptions) => (transparent ? "var(--surface, #ffffff)" : "#ffffff");
