"""A print half a minute old, a fifth above the market."""

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import SECOND_NS, Scene


class LatePrintPlant(Plant):
    """See the module."""

    detector = "late_print"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        on_time = scene.prints(
            scene.after([1.0, 20.0, 40.0]), scene.price, sides=["A", "B", "A"], numbers=[10, 20, 30]
        )
        off = scene.price + 0.2 * abs(scene.price) + 20 * scene.tick
        delay = None if scene.delay_ns is None else scene.delay_ns + 30 * SECOND_NS
        return on_time + scene.prints(scene.after(10.0), off, delays_ns=delay, numbers=[15])
