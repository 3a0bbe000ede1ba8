// A list of rows: one is chosen, several can be ticked; in a narrow place each row is a card.
//
// The server says what is chosen and ticked, and this sends what a person changes. What the server said before
// it heard of the last change is no answer to it: changes are numbered.

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component;
  const list = (parentElement.rowList ??= new RowList(parentElement));
  list.send = setStateValue;
  list.trigger = setTriggerValue;
  list.show(data);
  return () => list.close();
}

class RowList {
  constructor(parent) {
    this.rows = new Map();
    this.change = -1;
    this.box = make("div", "tw-list");
    const table = this.box.appendChild(make("table"));
    this.head = table.appendChild(make("thead"));
    this.body = table.appendChild(make("tbody"));
    parent.querySelector(".tw-list")?.remove();
    parent.append(this.box);  // beside its style
    this.onKey = (event) => this.press(event);
    document.addEventListener("keydown", this.onKey);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
  }

  show(data) {
    this.data = data;
    this.box.style.maxHeight = data.height ? `${data.height}px` : "";
    if (data.change >= this.change) {
      this.change = data.change;
      this.chosen = data.chosen;
      this.ticked = new Set(data.ticked);
    }
    this.showHead();
    const before = this.rows;
    this.rows = new Map(data.rows.map((row) => [row.id, this.rowOf(row, before.get(row.id))]));
    const shown = [...this.rows.values()];
    if (shown.length !== this.body.children.length || shown.some((row, at) => this.body.children[at] !== row)) {
      const top = this.box.scrollTop;
      this.body.replaceChildren(...shown);
      this.box.scrollTop = top;
    }
    this.mark();
  }

  showHead() {
    const text = JSON.stringify([this.data.columns, this.data.can_tick]);
    if (text === this.headText) return;
    this.headText = text;
    const row = make("tr");
    if (this.data.can_tick) {
      this.all = make("input");
      this.all.type = "checkbox";
      this.all.ariaLabel = "Tick all rows";
      this.all.onchange = () => this.tick(this.all.checked ? [...this.rows.keys()] : []);
      row.appendChild(make("th", "tw-tick")).append(this.all);
    }
    for (const column of this.data.columns) {
      const cell = row.appendChild(make("th", `tw-${column.kind}`));
      cell.scope = "col";
      if (column.sorts) {
        const button = cell.appendChild(make("button", "", column.heading));
        button.title = `Sort all by ${column.name.toLowerCase()}`;
        button.onclick = () => this.trigger("sorted", column.name);
      } else {
        cell.textContent = column.heading;
      }
    }
    row.appendChild(make("th", "tw-open"));
    this.head.replaceChildren(row);
  }

  rowOf(data, before) {
    const text = JSON.stringify([{ ...data, href: "" }, this.headText]);
    if (before?.text === text) {
      // Of the same row in another list: its address names the list that it is from.
      before.querySelector(".tw-open a").href = data.href;
      return before;
    }
    const row = make("tr");
    row.text = text;
    row.dataset.id = data.id;
    if (before === undefined && this.data.marks_new && this.body.children.length) row.classList.add("tw-new");
    if (this.data.can_tick) {
      const box = make("input");
      box.type = "checkbox";
      box.ariaLabel = "Tick this row";
      box.onchange = () => this.toggle(data.id);
      row.appendChild(make("td", "tw-tick")).append(box);
    }
    this.data.columns.forEach((column, at) => {
      const [main, more] = data.cells[at];
      const cell = row.appendChild(make("td", `tw-${column.kind}`));
      cell.dataset.name = column.name;
      if (column.kind === "severity") {
        const dot = cell.appendChild(make("span", "tw-dot"));
        dot.style.background = this.data.colors[main] ?? "gray";
      }
      cell.appendChild(make("span", "", main));
      if (more) cell.appendChild(make("small", "", more));
    });
    const link = row.appendChild(make("td", "tw-open")).appendChild(make("a", "", "Open"));
    link.href = data.href;
    link.target = "_self";
    link.onclick = (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) this.open(data.id, event);
    };
    row.onclick = (event) => {
      if (!event.target.closest("a, input, button") && !getSelection()?.toString()) this.choose(data.id);
    };
    return row;
  }

  mark() {
    const first = this.data.rows[0]?.id;
    const entered = this.rows.has(this.chosen) ? this.chosen : first;
    for (const [id, row] of this.rows) {
      row.ariaSelected = String(id === this.chosen);
      // One row can be reached with Tab; the keys go on from it.
      for (const part of [row, ...row.querySelectorAll("a, input")]) part.tabIndex = id === entered ? 0 : -1;
      const box = row.querySelector(".tw-tick input");
      if (box) box.checked = this.ticked.has(id);
    }
    if (this.all) {
      const count = [...this.rows.keys()].filter((id) => this.ticked.has(id)).length;
      this.all.checked = count > 0 && count === this.rows.size;
      this.all.indeterminate = count > 0 && count < this.rows.size;
    }
  }

  choose(id) {
    this.chosen = id;
    this.tell();
    this.rows.get(id)?.scrollIntoView({ block: "nearest" });
  }

  toggle(id) {
    const ticked = new Set(this.ticked);
    if (!ticked.delete(id)) ticked.add(id);
    this.tick([...ticked]);
  }

  tick(ids) {
    this.ticked = new Set(ids);
    this.tell();
  }

  tell() {
    this.change += 1;
    this.mark();
    const ticked = [...this.rows.keys()].filter((id) => this.ticked.has(id));
    this.send("view", { chosen: this.chosen ?? null, ticked, change: this.change });
  }

  open(id, event) {
    event.preventDefault();
    this.trigger("opened", id);
  }

  move(way) {
    const ids = [...this.rows.keys()];
    const at = ids.indexOf(this.chosen);
    const next = ids[at < 0 ? 0 : Math.max(0, Math.min(at + way, ids.length - 1))];
    if (next === undefined) return;
    const hadFocus = this.body.contains(document.activeElement);
    this.choose(next);
    if (hadFocus) this.rows.get(next).focus({ preventScroll: true });
  }

  press(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const isInside = this.body.contains(event.target) && event.target.tagName === "TR";
    if (!isInside && (!this.data.has_keys || isTaken(event))) return;
    const isHere = this.rows.has(this.chosen);
    const actions = {
      j: () => this.move(1),
      k: () => this.move(-1),
      o: () => isHere && this.open(this.chosen, event),
      x: () => isHere && this.data.can_tick && this.toggle(this.chosen),
      Escape: () => this.chosen && this.choose(null),
      ...(isInside && {
        ArrowDown: () => this.move(1),
        ArrowUp: () => this.move(-1),
        " ": () => this.choose(event.target.dataset.id),
        Enter: () => this.open(event.target.dataset.id, event),
      }),
      ...(event.target === document.body && isHere && { Enter: () => this.open(this.chosen, event) }),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

// Whether the key is meant for something else: an input, an open list of choices, a dialog.
function isTaken(event) {
  const target = event.composedPath()[0];
  return (
    target.isContentEditable ||
    target.closest?.("input:not([type=checkbox]), textarea, select, [role=slider], [role=listbox], [role=combobox]") ||
    document.querySelector("dialog[open], [role=dialog], [role=listbox]")
  );
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
