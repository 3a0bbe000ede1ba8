// The keys that every page has: ? lists the keys of the page, / goes to its search, Esc leaves a field.

export default function ({ data, parentElement }) {
  const box = document.createElement("div");
  box.className = "tw-keys-box";
  const button = box.appendChild(document.createElement("button"));
  button.className = "tw-help";
  button.textContent = "?";
  button.title = "Keys of this page";
  button.ariaLabel = "Keys of this page";
  const dialog = box.appendChild(document.createElement("dialog"));
  dialog.className = "tw-keys";
  dialog.ariaLabel = "Keys of this page";
  dialog.appendChild(document.createElement("h4")).textContent = "Keys of this page";
  const list = dialog.appendChild(document.createElement("dl"));
  for (const [keys, meaning] of data.keys) {
    const term = list.appendChild(document.createElement("dt"));
    for (const key of keys.split(" ")) term.appendChild(document.createElement("kbd")).textContent = key;
    list.appendChild(document.createElement("dd")).textContent = meaning;
  }
  dialog.onclick = () => dialog.close();
  button.onclick = () => dialog.showModal();

  const search = () => {
    const named = (input) => input.ariaLabel?.endsWith(data.search) || input.labels?.[0]?.textContent.trim() === data.search;
    const field = [...document.querySelectorAll("input")].find(named);
    // In a narrow window the field may be folded away.
    if (field && !field.offsetParent) document.querySelector("[class*=fold] input")?.click();
    requestAnimationFrame(() => field?.focus());
    return field;
  };

  const press = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    const isTyping = target.isContentEditable || target.closest?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape" && isTyping && !document.querySelector("[role=listbox]")) {
      target.blur();
      event.preventDefault();
    } else if (!isTyping && event.key === "?") {
      if (dialog.open) dialog.close();
      else dialog.showModal();
      event.preventDefault();
    } else if (!isTyping && event.key === "/" && data.search && !document.querySelector("dialog[open], [role=dialog]")) {
      if (search()) event.preventDefault();
    }
  };
  parentElement.closeKeys?.();
  document.addEventListener("keydown", press);
  parentElement.closeKeys = () => document.removeEventListener("keydown", press);
  const before = parentElement.querySelector(".tw-keys-box");
  const wasOpen = before?.querySelector("dialog").open;
  before?.remove();
  parentElement.append(box);  // beside its style
  if (wasOpen) dialog.showModal();
  return () => parentElement.closeKeys();
}
