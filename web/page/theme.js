const KEY = 'tidings.theme';
const ORDER = ['auto', 'light', 'dark'];

/** `auto` follows the system; the choice is kept for this browser. */
export const theme = {
  get choice() {
    try {
      const value = localStorage.getItem(KEY);
      return ORDER.includes(value) ? value : 'auto';
    } catch {
      return 'auto';
    }
  },

  apply(choice = theme.choice) {
    if (choice === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
  },

  /** The next choice in turn. */
  advance() {
    const next = ORDER[(ORDER.indexOf(theme.choice) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Then it holds until the page is left.
    }
    theme.apply(next);
    return next;
  },
};
