"""The detector."""

from services.detector.compiled_cache import use_own_folder

use_own_folder()
