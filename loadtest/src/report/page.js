// The pointer over a plot shows every line's value at that moment in the legend.
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg");
  const source = figure.querySelector("script");
  if (!source) continue;
  const data = JSON.parse(source.textContent);
  const cursor = svg.querySelector(".cursor");
  const labels = [...figure.querySelectorAll("[data-now]")];
  const last = labels.map((label) => label.textContent);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let near = 0;
    data.x.forEach((at, index) => {
      if (Math.abs(at - x) < Math.abs(data.x[near] - x)) near = index;
    });
    cursor.setAttribute("x1", data.x[near]);
    cursor.setAttribute("x2", data.x[near]);
    cursor.style.visibility = "visible";
    labels.forEach((label, index) => (label.textContent = data.lines[index][near]));
  });
  svg.addEventListener("pointerleave", () => {
    cursor.style.visibility = "hidden";
    labels.forEach((label, index) => (label.textContent = last[index]));
  });
}
