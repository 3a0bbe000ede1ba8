"""How the overview's own parts look: lists of lines, the ranking, and the small charts."""

STYLE = """<style>
.tw-lines { list-style: none; margin: 0; padding: 0 !important }
.tw-lines li { margin: 0; padding: 0.42rem 0; border-top: 1px solid rgba(128, 128, 128, 0.22) }
.tw-lines a, .tw-card, .tw-rank a { display: block; color: inherit; text-decoration: none }
.tw-lines a:hover .tw-said, .tw-card:hover .tw-said, .tw-rank a:hover { text-decoration: underline }
.tw-lines a, .tw-card, .tw-rank { overflow-wrap: anywhere; line-height: 1.4 }
/* Not by opacity: dots keep their colours. */
.tw-faint { color: color-mix(in srgb, currentColor 75%, transparent); font-size: 0.82rem }
.tw-said { font-size: 0.9rem }
.tw-chips { display: inline-flex; flex-wrap: wrap; gap: 0 0.7rem; font-size: 0.86rem }
.tw-cards { display: grid; gap: 0.8rem; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)) }
.tw-card { border: 1px solid rgba(128, 128, 128, 0.3); border-radius: 8px; padding: 0.55rem 0.75rem }
.tw-card:hover { border-color: currentColor }
.tw-top { display: flex; justify-content: space-between; gap: 0.8rem }
.tw-spark { display: block; width: 100%; height: auto }
.tw-rank { display: grid; grid-template-columns: 6rem 11rem 8rem 1fr; gap: 0.1rem 1rem;
  align-items: baseline; padding: 0.34rem 0; border-top: 1px solid rgba(128, 128, 128, 0.22) }
.tw-heads { opacity: 0.75; font-size: 0.82rem; border-top: 0 }
@media (max-width: 900px) {
  .tw-rank { grid-template-columns: 1fr auto }
  .tw-rank .tw-last { grid-column: 1 / -1 }
  .tw-rank .tw-price { grid-column: 1 / -1 }
  .tw-heads { display: none }
}
</style>"""
