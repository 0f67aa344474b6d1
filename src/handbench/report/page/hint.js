// Says so above a box that is wider inside than it is: on a phone nobody sees a scroll bar.
(function () {
  "use strict";

  const boxes = Array.from(document.querySelectorAll(".scroll, .picture.broad")).map(function (box) {
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.hidden = true;
    hint.textContent = "Scroll sideways for the rest \u2192";
    box.before(hint);
    return { box: box, hint: hint };
  });

  function look() {
    boxes.forEach(function (one) { one.hint.hidden = one.box.scrollWidth <= one.box.clientWidth + 1; });
  }

  window.addEventListener("resize", look);
  window.addEventListener("load", look);
  look();
})();
