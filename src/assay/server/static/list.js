// Follows the table of runs: rows keep their places and their ticks, new ones come at the end.
"use strict";
{
  const bodyOf = (page) => page.querySelector("#runs tbody");

  const merge = (old, fresh) => {
    const known = new Map([...old.rows].map((row) => [row.dataset.name, row]));
    for (const row of [...fresh.rows]) {
      const before = known.get(row.dataset.name);
      known.delete(row.dataset.name);
      if (!before) old.append(row);
      else [...row.cells].slice(1).forEach((cell, place) => before.cells[place + 1].replaceWith(cell));
    }
    for (const gone of known.values()) gone.remove();
  };

  const follow = async () => {
    if (document.hidden) return;
    const response = await fetch("/").catch(() => null);
    if (!response?.ok) return;
    const fresh = bodyOf(new DOMParser().parseFromString(await response.text(), "text/html"));
    if (bodyOf(document) && fresh) merge(bodyOf(document), fresh);
    else if (fresh) location.reload(); // the first run
  };

  setInterval(follow, 5000);
}
