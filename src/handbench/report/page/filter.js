// Shows the claims of one status, one paper, or both.
(function () {
  "use strict";

  const rows = Array.from(document.querySelectorAll("tr[data-status]"));
  const buttons = Array.from(document.querySelectorAll("button[data-filter]"));
  const chosen = { status: "", paper: "" };

  function show() {
    let shown = 0;
    rows.forEach(function (row) {
      const fits = Object.keys(chosen).every(function (name) { return !chosen[name] || row.dataset[name] === chosen[name]; });
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    buttons.forEach(function (button) {
      button.setAttribute("aria-pressed", String(chosen[button.dataset.filter] === button.dataset.value));
    });
    document.getElementById("shown").textContent = shown + " of " + rows.length + " claims shown";
  }

  buttons.forEach(function (button) {
    button.addEventListener("click", function () {
      chosen[button.dataset.filter] = button.dataset.value;
      show();
    });
  });
})();
