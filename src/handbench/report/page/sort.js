// Sorts a table by the column whose heading is pressed: numbers by value, words by letters, nothing last.
(function () {
  "use strict";

  function readCell(cell) {
    const text = cell.textContent.trim();
    if (text === "" || text === "\u2013") return { rank: 2, value: 0, text: text };
    const number = text.replace(/,(?=\d{3})/g, "").match(/^\[?\s*([+\-\u2212]?\d+(\.\d+)?)(?=$|[\s,\]%])/);
    if (number) return { rank: 0, value: parseFloat(number[1].replace("\u2212", "-")), text: text };
    return { rank: 1, value: 0, text: text };
  }

  function compare(a, b, direction) {
    // What has no number stands below what has one, whichever way the column runs.
    if (a.rank !== b.rank) return a.rank - b.rank;
    if (a.rank === 2) return 0;
    const order = a.rank === 0 ? a.value - b.value : a.text.localeCompare(b.text, "en", { numeric: true });
    return direction * order;
  }

  function sortBy(table, heading, column, descending) {
    table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.setAttribute("aria-sort", "none"); });
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    Array.from(body.rows)
      .map(function (row, place) { return { row: row, place: place, key: readCell(row.cells[column]) }; })
      .sort(function (a, b) { return compare(a.key, b.key, descending ? -1 : 1) || a.place - b.place; })
      .forEach(function (entry) { body.appendChild(entry.row); });
  }

  document.querySelectorAll("table.sortable").forEach(function (table) {
    const rows = table.tHead.rows;
    Array.from(rows[rows.length - 1].cells).forEach(function (heading, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      heading.setAttribute("scope", "col");
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", function () { sortBy(table, heading, column, heading.getAttribute("aria-sort") === "ascending"); });
    });
  });

  // Where a narrow screen hides a table's headings, a list of them takes their place.
  document.querySelectorAll("select[data-sorts]").forEach(function (select) {
    const table = document.getElementById(select.dataset.sorts);
    const headings = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    const before = Array.from(table.tBodies[0].rows);
    headings.forEach(function (heading, column) {
      ["up", "down"].forEach(function (way) {
        const option = document.createElement("option");
        option.value = column + " " + way;
        option.textContent = heading.textContent + (way === "up" ? " \u2191" : " \u2193");
        select.append(option);
      });
    });
    select.addEventListener("change", function () {
      const words = select.value.split(" ");
      if (select.value) return sortBy(table, headings[Number(words[0])], Number(words[0]), words[1] === "down");
      headings.forEach(function (heading) { heading.setAttribute("aria-sort", "none"); });
      before.forEach(function (row) { table.tBodies[0].appendChild(row); });
    });
  });
})();
