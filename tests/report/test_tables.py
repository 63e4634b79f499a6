"""The frames against the values that the run's cells were made from, computed with NumPy alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest_made import BROKEN, Made
