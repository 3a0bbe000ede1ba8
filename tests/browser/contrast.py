"""Measures the contrast of the text that a page shows, as WCAG 2 defines it, from computed styles."""

from dataclasses import dataclass

from playwright.sync_api import Page

_MEASURE = """() => {
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (color) => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = color;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const luminance = (color) => {
    const [r, g, b] = color.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const skipped = "script, style, noscript, canvas, [aria-hidden=true], [disabled], [aria-disabled=true]";
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode()); ) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (!text || !element || element.closest(skipped)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const place = range.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (place.width < 2 || place.height < 2 || style.visibility !== "visible") continue;
    if (/Material/.test(style.fontFamily)) continue;  // an icon
    const middle = (place.top + place.bottom) / 2;
    let opacity = 1;
    let background = [255, 255, 255];
    const chain = [];
    for (let at = element; at; at = at.parentElement) chain.unshift(at);
    for (const each of chain) {
      const computed = getComputedStyle(each);
      opacity *= parseFloat(computed.opacity);
      const box = each.getBoundingClientRect();
      const holds = each.contains(document.body) || (box.top <= middle && middle <= box.bottom);
      if (holds) background = over(parse(computed.backgroundColor), background);
    }
    if (opacity < 0.05) continue;
    const isDrawn = element.tagName === "text";
    const color = parse(isDrawn ? style.fill : style.color);
    color[3] *= opacity * (isDrawn ? parseFloat(style.fillOpacity || 1) : 1);
    const [low, high] = [luminance(over(color, background)), luminance(background)].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    const isSign = !/[\\p{L}\\p{N}]/u.test(text);
    found.push([text.slice(0, 60), (high + 0.05) / (low + 0.05), isLarge || isSign]);
  }
  return found;
}"""


@dataclass(frozen=True)
class SeenText:
    """A piece of text on a page."""

    text: str
    contrast: float
    is_large: bool
    """Large letters, or a sign such as a legend's dot, which is a graphic."""

    @property
    def is_readable(self) -> bool:
        """Whether it is as WCAG's level AA asks."""
        return self.contrast >= (3.0 if self.is_large else 4.5)


def seen_texts(page: Page) -> list[SeenText]:
    """Return all text that can be seen, without icons, what is disabled, and what is drawn on a canvas."""
    return [SeenText(*one) for one in page.evaluate(_MEASURE)]
