"""Two minutes with many times the usual prints."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, needs, regular_hours_left_s
from services.detector.selftest.scene import MINUTE_NS, SECOND_NS, Scene


class VolumeSurgePlant(Plant):
    """See the module."""

    detector = "volume_surge"
    is_sure = False
    is_live = False
    why_not_live = "it takes minutes of several times the usual prints"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        needs(regular_hours_left_s(scene) > 20 * 60, "the close is near")
        needs(scene.now_ns - scene.opening_ns > 20 * MINUTE_NS, "the opening was a moment ago")
        span_s = max((scene.now_ns - int(scene.stamps_ns[0])) / SECOND_NS, 1.0)
        usual = len(scene.recent) / span_s
        count = int(min(max(150 * 12 * usual, 1_200), 60_000))
        prices = scene.price + scene.tick * np.resize([0.0, 1.0, 0.0, -1.0], count)
        return scene.prints(
            scene.after(np.linspace(1.0, 150.0, count)),
            prices,
            scene.mean_size,
            ["A", "B"] * (count // 2) + ["A"] * (count % 2),
        )
