"""What all pages look like, beyond the theme."""

STYLE = """<style>
/* The space on top is for a bar that is switched off. */
.stMainBlockContainer { padding-top: 1rem; padding-bottom: 2rem }
/* Exists only for what it does. */
.st-key-frame-unseen, .st-key-frame-notifications { display: none }
/* While a page refreshes, what it shows is not old: nothing fades. */
[data-stale="true"] { opacity: 1 !important; transition: none !important }
.stHtml a { color: inherit }
/* As Streamlit's links to pages. */
.tw-page { display: flex; align-items: center; gap: 0.5rem; padding: 0.25rem 0.5rem; border-radius: 0.5rem;
  text-decoration: none; white-space: nowrap }
.tw-page:hover { background: rgba(128, 128, 128, 0.12) }
.tw-page span { font-family: "Material Symbols Rounded"; font-size: 1.15rem; line-height: 1 }
/* Greys in charts, and white on Streamlit's buttons in the dark, are below WCAG's contrast of 4.5. */
.stVegaLiteChart .role-axis-label text, .stVegaLiteChart .role-axis-title text,
.stVegaLiteChart .mark-text.role-mark text {
  fill: currentColor; fill-opacity: 0.75
}
button[kind^="primary"]:enabled, button[kind^="primary"]:enabled *,
[data-baseweb="tag"], [data-baseweb="tag"] * {
  color: light-dark(#ffffff, #0e1117) !important; opacity: 1 !important
}
/* As wide as what it has, though the clock's words change. */
.st-key-frame-right { margin-left: auto; flex-wrap: nowrap !important; width: max-content !important }
.st-key-frame-right > * { width: max-content !important; min-width: 0 !important; flex: 0 0 auto !important }
.st-key-frame-narrow { display: none }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 0.75rem; padding-right: 0.75rem }
  .stMetric [data-testid="stMetricValue"] { font-size: 1.3rem }
  .st-key-frame-wide { display: none }
  .st-key-frame-narrow { display: flex }
}
</style>"""
