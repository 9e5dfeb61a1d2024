// Keeps the focus in a row of buttons: the browser's half of `FocusKeeper` in `controls.py`.

function render({ el }) {
  const cleanUp = new AbortController();
  const { signal } = cleanUp;
  let chosen = null; // the button of the row that the person went to or pressed
  let substitute = null; // the one that has the focus while `chosen` is disabled
  const observer = new MutationObserver(moveFocus);

  function choose(button) {
    [chosen, substitute] = [button, null];
    observer.disconnect();
    if (button) observer.observe(el.parentElement, { subtree: true, attributeFilter: ["disabled"] });
  }

  function moveFocus() {
    const focused = substitute ?? chosen;
    if (![focused, document.body].includes(document.activeElement)) return; // the person left
    const buttons = [...el.parentElement.querySelectorAll("button")];
    const position = buttons.indexOf(chosen);
    // the nearest one before it, for the last ones of a row undo more than the first ones
    const order = [chosen, ...buttons.slice(0, position).reverse(), ...buttons.slice(position + 1)];
    const next = order.find((button) => !button.disabled);
    if (!next || next === document.activeElement) return;
    substitute = next === chosen ? null : next;
    next.focus({ preventScroll: true });
  }

  function onFocus({ target }) {
    if (target === substitute) return;
    choose(target.matches("button") && el.parentElement?.contains(target) ? target : null);
  }
  document.addEventListener("focusin", onFocus, { signal });
  document.addEventListener(
    "focusout",
    // a button that is disabled loses the focus although the person stays
    ({ target }) => target === (substitute ?? chosen) && !target.disabled && choose(null),
    { signal },
  );
  document.addEventListener("click", ({ target }) => target === substitute && choose(target), {
    capture: true,
    signal,
  });

  return () => {
    cleanUp.abort();
    observer.disconnect();
  };
}

export default { render };
