// Make elements of the page. Python puts this before the files that use it.

// On an element that uses keys: JupyterLab would take them to move to another cell.
const NO_SHORTCUTS = ["data-lm-suppress-shortcuts", "true"];

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A button that looks like those of ipywidgets.
function makeButton(textContent, properties = {}) {
  const button = make("button", { textContent, ...properties });
  button.classList.add("jupyter-button", "widget-button");
  return button;
}

// Text in which no line ends between a number and its "%"; `to_html` is the same in Python.
function keepPercent(words) {
  return words.replaceAll(" %", "\u00a0%");
}

// An id for an element or a message that no other one has.
function makeId() {
  return `mw-${Math.random().toString(36).slice(2)}`;
}
