// The line below a chart: the browser's half of `chart_footer.py`.

const SETTLED_MS = 2000; // a caption that stays so long is read aloud

function add(parent, tag, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  parent.append(element);
  return element;
}

function download(content, fileName) {
  const link = Object.assign(document.createElement("a"), { download: fileName });
  link.href = URL.createObjectURL(new Blob([content]));
  document.body.append(link); // VS Code sees only clicks on links of the page
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function render({ model, el }) {
  const name = model.get("name");
  const captionId = `mw-caption-${Math.random().toString(36).slice(2)}`;
  const caption = add(el, "p", { className: "mw-caption", id: captionId });
  const spoken = add(el, "p", { className: "mw-spoken" });
  spoken.setAttribute("aria-live", "polite");
  const data = add(el, "button", { className: "mw-data-button", textContent: "Data" });
  data.title = `Show the numbers of the ${name.toLowerCase()} as a table`;
  const menu = add(el, "details", { className: "mw-save" });
  add(menu, "summary", { textContent: "Save" });
  const choices = add(menu, "div");
  const table = add(el, "div", { className: "mw-data", tabIndex: 0, hidden: true });
  table.setAttribute("role", "region");
  table.setAttribute("aria-label", `Data of the ${name.toLowerCase()}`);

  // --- The name of the chart, which its own view does not have

  let frame = 0;
  function nameChart() {
    // the chart is the first child of the box that the footer closes
    const chart = el.closest(".mw-chart")?.firstElementChild;
    if (!chart) frame = requestAnimationFrame(nameChart); // not on the page yet
    else if (chart.matches(".mw-grid")) chart.setAttribute("aria-describedby", captionId);
    else {
      chart.setAttribute("role", "img");
      chart.setAttribute("aria-label", name);
      chart.setAttribute("aria-describedby", captionId);
    }
  }
  nameChart();

  // --- The caption

  let settled = 0;
  function showCaption() {
    const words = model.get("caption");
    caption.textContent = words;
    clearTimeout(settled);
    settled = setTimeout(() => (spoken.textContent = words), SETTLED_MS);
  }
  showCaption();

  // --- The table

  function showTable() {
    const isOpen = model.get("shows_data");
    data.setAttribute("aria-expanded", String(isOpen));
    table.hidden = !isOpen;
    el.closest(".mw-chart")?.classList.toggle("mw-shows-data", isOpen);
    if (isOpen) table.innerHTML = model.get("table");
  }
  showTable();
  data.addEventListener("click", () => {
    model.set("shows_data", !model.get("shows_data"));
    model.save_changes();
  });

  // --- Files

  let isWaiting = false; // for a file that was chosen in this view
  for (const [ending, label] of [
    ["png", "Picture (PNG)"],
    ["csv", "Numbers (CSV)"],
  ]) {
    add(choices, "button", { textContent: label }).addEventListener("click", () => {
      isWaiting = true;
      model.send({ save: ending });
      menu.open = false;
      menu.firstElementChild.focus();
    });
  }
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.firstElementChild.focus();
    event.stopPropagation();
  });
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
  });
  function onMessage({ save, error }, buffers) {
    if (!isWaiting) return;
    isWaiting = false;
    if (error) spoken.textContent = caption.textContent = error;
    else download(buffers[0], `${name.toLowerCase().replaceAll(" ", "_")}.${save}`);
  }

  model.on("change:caption", showCaption);
  model.on("change:shows_data change:table", showTable);
  model.on("msg:custom", onMessage);
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(settled);
    model.off("change:caption", showCaption);
    model.off("change:shows_data change:table", showTable);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
