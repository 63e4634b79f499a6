"use strict";
// Sorting by a click on a heading, a filter for the overview, flags that explain themselves, enlarging, and the slider.
const FACTORS = { ms: 1e-3, s: 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

function key(cell) {
  const found = /^[^\d-]*(-?[\d.,]+)(?:\s*\[[^\]]*\])?\s*(ms|s|kB|MB|GB|B)?(?![\w])/.exec(cell.textContent.trim());
  const starts = /^[-\d≥]/.test(cell.textContent.trim());
  return found && starts ? parseFloat(found[1].replaceAll(",", "")) * (FACTORS[found[2]] ?? 1) : null;
}

function sort(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, text: row.cells[column].textContent, number: key(row.cells[column]) }));
  const numeric = rows.some((each) => each.number !== null);
  const sign = descending ? -1 : 1;
  rows.sort((a, b) => {
    if (!numeric) return sign * a.text.localeCompare(b.text) || a.place - b.place;
    // What has no number stays at the end, whichever way.
    if (a.number === null || b.number === null) return (a.number === null) - (b.number === null) || a.place - b.place;
    return sign * (a.number - b.number) || a.place - b.place;
  });
  body.append(...rows.map((each) => each.row));
}

function headings(table) {
  // Where neighbours share a heading, each column's own has its number.
  const numbered = [...table.tHead.querySelectorAll("[data-column]")];
  return numbered.length ? numbered.sort((a, b) => a.dataset.column - b.dataset.column) : [...table.tHead.rows[0].cells];
}

for (const table of document.querySelectorAll(".table:not(.matrix) table")) {
  const heads = headings(table);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(table, column, descending);
    });
  });
}

const meanings = {};
for (const term of document.querySelectorAll("#flags dt")) meanings[term.textContent] = term.nextElementSibling.textContent;
for (const table of document.querySelectorAll(".table:not(.matrix) table")) {
  const column = headings(table).findIndex((head) => head.textContent.trim() === "flags");
  if (column < 0) continue;
  for (const row of table.tBodies[0].rows) {
    const parts = row.cells[column].textContent.split(/(?<![\w=])([a-z]\d?)(?![\w=])/);
    row.cells[column].replaceChildren(...parts.map((part, place) => {
      if (place % 2 === 0 || !(part in meanings)) return part;
      const mark = document.createElement("abbr");
      mark.title = meanings[part];
      mark.textContent = part;
      return mark;
    }));
  }
}

document.querySelector("input[type=search]")?.addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("#overview .table:not(.reported) tbody tr")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});

for (const slider of document.querySelectorAll(".exhibit input[type=range]")) {
  slider.addEventListener("input", () => slider.closest(".exhibit").style.setProperty("--cut", slider.value));
}

const dialog = document.querySelector("dialog");
for (const tile of document.querySelectorAll(".matrix .stack")) {
  tile.addEventListener("click", () => {
    const shown = tile.closest("figure").cloneNode(true);
    const still = document.createElement("div");
    still.className = tile.className;
    still.append(...shown.querySelector(".stack").childNodes);
    shown.querySelector(".stack").replaceWith(still);
    dialog.querySelector(".place").replaceChildren(shown);
    dialog.querySelector(".exhibit").style.setProperty("--truth", tile.closest(".exhibit").style.getPropertyValue("--truth"));
    dialog.querySelector(".against").hidden = !tile.classList.contains("over");
    const slider = dialog.querySelector("input");
    slider.value = 0;
    slider.dispatchEvent(new Event("input"));
    dialog.showModal();
  });
}
dialog?.querySelector(".close").addEventListener("click", () => dialog.close());
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
