// Where the page begins: the chosen theme, then everything else into #page.

import { render } from "preact";
import { Page } from "./page.tsx";
import { applyTheme, storedTheme } from "./theme.tsx";

applyTheme(storedTheme());
render(<Page />, document.getElementById("page") as HTMLElement);
