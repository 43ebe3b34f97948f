// Dark, light, or the system's theme. The choice is the only data kept beyond the session; it is not secret.
import { icon, iconButton } from "./dom.js";

const KEY = "gohub.theme";
const THEMES = ["system", "light", "dark"];

function stored() {
    try {
        const theme = localStorage.getItem(KEY);
        return THEMES.includes(theme) ? theme : "system";
    } catch {
        return "system";
    }
}

function apply(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
}

export function themeSwitch() {
    let theme = stored();
    const button = iconButton("system", "", () => {
        theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
        try {
            localStorage.setItem(KEY, theme);
        } catch {
            // Without storage the choice lasts as long as the page.
        }
        show();
    });
    button.classList.add("theme");
    const show = () => {
        apply(theme);
        const label = `Theme: ${theme}`;
        button.setAttribute("aria-label", label);
        button.title = label;
        button.replaceChildren(icon({ system: "system", light: "sun", dark: "moon" }[theme]));
    };
    show();
    return button;
}

apply(stored());
