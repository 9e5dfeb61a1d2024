// A button that saves a file from the kernel: the browser's half of `save_button.py`.

function download(content, fileName) {
  const link = Object.assign(document.createElement("a"), { download: fileName });
  link.href = URL.createObjectURL(new Blob([content]));
  document.body.append(link); // VS Code sees only clicks on links of the page
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-button widget-button";
  button.textContent = "Save";
  el.append(button);
  function show() {
    button.title = model.get("tooltip");
    button.disabled = model.get("disabled");
  }
  show();
  model.on("change:tooltip change:disabled", show);
  const awaited = new Set(); // the requests of this view: others get the answers too
  button.addEventListener("click", () => {
    const id = Math.random().toString(36);
    awaited.add(id);
    model.send({ id });
  });
  function onAnswer({ id }, buffers) {
    if (awaited.delete(id)) download(buffers[0], model.get("file_name"));
  }
  model.on("msg:custom", onAnswer);
  return () => {
    model.off("change:tooltip change:disabled", show);
    model.off("msg:custom", onAnswer);
  };
}

export default { render };
