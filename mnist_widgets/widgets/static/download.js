// Let the browser save a file. Python puts this before the files that use it.

function download(content, fileName) {
  const link = Object.assign(document.createElement("a"), { download: fileName });
  link.href = URL.createObjectURL(new Blob([content]));
  document.body.append(link); // VS Code sees only clicks on links of the page
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
