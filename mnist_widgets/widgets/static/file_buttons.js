// Buttons that save a file of the kernel and load files into it: the browser's half of
// `file_buttons.py`, which puts `elements.js` and `download.js` before this file.

function render({ model, el }) {
  const save = makeButton("Save", { title: model.get("save_tooltip") });
  const load = makeButton("Load", { title: model.get("load_tooltip") });
  const chooser = make("input", { type: "file", accept: ".json", multiple: true, hidden: true });
  el.append(save, load, chooser);

  const showState = () => (save.disabled = !model.get("can_save"));
  showState();
  model.on("change:can_save", showState);

  const awaited = new Set(); // the requests of this view: others get the answers too
  save.addEventListener("click", () => {
    const id = makeId();
    awaited.add(id);
    model.send({ id });
  });
  function onAnswer({ id }, buffers) {
    if (awaited.delete(id)) download(buffers[0], model.get("file_name"));
  }
  model.on("msg:custom", onAnswer);

  load.addEventListener("click", () => {
    chooser.value = ""; // the same file can be chosen again
    chooser.click();
  });
  chooser.addEventListener("change", async () => {
    const files = [...chooser.files];
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const isTooLarge = size > model.get("max_bytes");
    const names = [], contents = [], unreadable = [];
    for (const file of isTooLarge ? [] : files) {
      try {
        contents.push(await file.arrayBuffer());
        names.push(file.name);
      } catch { // moved, changed or locked since it was chosen
        unreadable.push(file.name);
      }
    }
    model.send({ names, unreadable, is_too_large: isTooLarge }, undefined, contents);
  });
  return () => {
    model.off("change:can_save", showState);
    model.off("msg:custom", onAnswer);
  };
}

export default { render };
