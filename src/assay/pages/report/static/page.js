// Tables that sort, and links that open what they lead to.
"use strict";
{
  const collator = new Intl.Collator("en", { numeric: true });
  const keyOf = (row, place) => {
    const cell = row.cells[place];
    if (!cell) return ""; // of a row whose first cells say why the others are missing
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  const isMissing = (key) => key === "" || key === "—";

  const compare = (a, b, sign) => {
    if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b); // last in either direction
    const both = typeof a === "number" && typeof b === "number";
    return sign * (both ? a - b : collator.compare(String(a), String(b)));
  };

  const sort = (table, head) => {
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort");
    const order = !now ? first : now === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row, head.cellIndex), row]);
    rows.sort((a, b) => compare(a[0], b[0], sign));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  const makeSortable = (table) => {
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head));
    }
  };

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView();
  };

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  addEventListener("hashchange", reveal);
  reveal();
}
