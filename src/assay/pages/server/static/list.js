// Follows the tables: rows keep their places and their ticks, new ones come at the end; and the counts.
"use strict";
{
  const bodyOf = (page, part) => page.querySelector(`${part} tbody`);

  const merge = (old, fresh) => {
    const known = new Map([...old.rows].map((row) => [row.dataset.name, row]));
    for (const row of [...fresh.rows]) {
      const before = known.get(row.dataset.name);
      known.delete(row.dataset.name);
      if (!before) old.append(row);
      else {
        for (const cell of [...before.cells].slice(1)) cell.remove();
        before.append(...[...row.cells].slice(1)); // the first holds the tick, and perhaps the focus
      }
    }
    for (const gone of known.values()) gone.remove();
  };

  const follow = async () => {
    if (document.hidden) return;
    const response = await fetch("/");
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const [runs, freshRuns] = [document, fresh].map((page) => bodyOf(page, "#runs"));
    if (!runs !== !freshRuns) return location.reload(); // the first run, or none any more
    if (runs) merge(runs, freshRuns);
    merge(bodyOf(document, "#studies"), bodyOf(fresh, "#studies"));
    document.getElementById("studies").hidden = fresh.getElementById("studies").hidden;
    document.getElementById("count").textContent = fresh.getElementById("count").textContent;
  };

  setInterval(() => follow().catch(() => {}), 5000); // a broken answer: the next one may be whole
}
