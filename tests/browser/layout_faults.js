// Returns the layout faults of an element, one sentence each. Texts and controls must not overlap
// each other. Lines, bars and cells of a chart may: they overlap on purpose. The settings as text are
// longer than their field, in which they scroll.
selector => {
  const root = document.querySelector(selector);
  const faults = [];
  const name = element => {
    const words = (element.textContent || element.value || "").trim().slice(0, 30);
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${words}`;
  };
  const hasText = element => [...element.childNodes].some(
    node => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  const isShown = element => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
    && !element.closest(".mw-spoken, .mw-column, [style*='display: none'], style");
  const isControl = element => element.matches("button, input, select, summary, .mw-grid-image, img");
  const textBox = element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getBoundingClientRect();
  };
  const outer = root.getBoundingClientRect();
  const parts = [];
  for (const element of root.querySelectorAll("*")) {
    const isText = hasText(element) && !element.closest("option");
    if (!(isText || isControl(element)) || !isShown(element)) continue;
    const isSvg = element instanceof SVGElement;
    const box = isText && !isControl(element) && !isSvg
      ? textBox(element) : element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) continue;
    parts.push({ element, box });
    if (box.left < outer.left - 1 || box.right > outer.right + 1
        || box.top < outer.top - 1 || box.bottom > outer.bottom + 1)
      faults.push(`outside of the panel: ${name(element)}`);
    if (isSvg) {
      const figure = element.closest("svg").getBoundingClientRect();
      if (box.left < figure.left - 1 || box.right > figure.right + 1
          || box.top < figure.top - 1 || box.bottom > figure.bottom + 1)
        faults.push(`outside of its chart: ${name(element)}`);
    } else if (!element.matches("select, img, .mw-grid-image, .mw-text input")
        && getComputedStyle(element).display !== "inline"
        && (element.scrollWidth > element.clientWidth + 1
            || element.scrollHeight > element.clientHeight + 3)) {
      faults.push(`cut: ${name(element)}`);
    }
  }
  for (const mark of root.querySelectorAll("svg .mark :is(path, rect, circle)")) {
    const box = mark.getBoundingClientRect();
    const figure = mark.closest("svg").getBoundingClientRect();
    if (!isShown(mark) || !box.width) continue;
    if (box.left < figure.left - 1 || box.right > figure.right + 1)
      faults.push(`outside of its chart: ${name(mark)}`);
  }
  const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1.5;
  const angle = element => {
    const matrix = element instanceof SVGTextElement ? element.getScreenCTM() : { a: 1, b: 0 };
    return Math.atan2(matrix.b, matrix.a);
  };
  // The box of a slanted text in axes along it and across it. The boxes of slanted neighbours
  // overlap, the texts do not.
  const boxAlong = element => {
    const { e, f } = element.getScreenCTM();
    const [cos, sin] = [Math.cos(angle(element)), Math.sin(angle(element))];
    const { x, y, width, height } = element.getBBox();
    const [left, top] = [e * cos + f * sin + x, f * cos - e * sin + y];
    return { left, top, right: left + width, bottom: top + height };
  };
  const haveSameSlant = (a, b) => angle(a) !== 0 && Math.abs(angle(a) - angle(b)) < 0.01;
  parts.forEach(({ element, box }, index) => {
    for (const other of parts.slice(index + 1)) {
      if (element.contains(other.element) || other.element.contains(element)) continue;
      const boxes = haveSameSlant(element, other.element)
        ? [boxAlong(element), boxAlong(other.element)] : [box, other.box];
      if (overlap(...boxes))
        faults.push(`overlapping: ${name(element)} and ${name(other.element)}`);
    }
  });
  return [...new Set(faults)];
}
