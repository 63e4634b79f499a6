import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import ProjectiveTransform

from pedbench.scenes.painting.geometry import Camera, Pose, carry, quad_to_square, square_to_quad

CAMERA = Camera(size=(640, 480), focal=700.0, height=1.4, pitch=17.0)
offset = st.floats(-15, 15)


@given(offsets=st.lists(offset, min_size=8, max_size=8))
def test_quad_homography_agrees_with_scikit_image(offsets: list[float]) -> None:
    corners = np.array([[0.0, 0.0], [90.0, 0.0], [90.0, 60.0], [0.0, 60.0]])
    quad = corners + np.reshape(offsets, (4, 2)) + 40.0
    expected = ProjectiveTransform.from_estimate(corners, quad)
    points = [(x, y) for x, y in quad.tolist()]
    ours = square_to_quad(points, 90.0, 60.0)
    back = quad_to_square(points, 90.0, 60.0)
    for point in ((0.0, 0.0), (90.0, 60.0), (31.0, 12.5), (70.0, 55.0)):
        assert carry(ours, point) == pytest.approx(expected(np.array([point]))[0], abs=1e-6)
        assert carry(back, carry(ours, point)) == pytest.approx(point, abs=1e-6)


@given(yaw=st.floats(-60, 60), tilt=st.floats(-30, 30), s=st.floats(-1, 1), t=st.floats(-1, 1))
def test_plane_lookup_inverts_projection(yaw: float, tilt: float, s: float, t: float) -> None:
    pose = Pose(origin=(0.2, 0.7, 3.0)).yawed(yaw).tilted(tilt)
    lookup = CAMERA.plane(pose.origin, pose.right, tuple3(-pose.up[0], -pose.up[1], -pose.up[2]))
    assert carry(lookup, CAMERA.project(pose.point(s, -t, 0.0))) == pytest.approx((s, t), abs=1e-6)


def test_camera_looks_down() -> None:
    straight = Camera(size=(640, 480), focal=700.0, height=1.0, pitch=0.0)
    assert straight.project((0.0, 1.0, 5.0)) == pytest.approx((320.0, 240.0))
    assert straight.project((1.0, 0.0, 7.0)) == pytest.approx((420.0, 340.0))
    assert CAMERA.project((0.0, 1.4, 5.0))[1] < 240.0


def test_outline_is_clipped_before_the_camera() -> None:
    floor = [(-1.0, 0.0, 4.0), (1.0, 0.0, 4.0), (1.0, 0.0, -4.0), (-1.0, 0.0, -4.0)]
    outline = CAMERA.outline(floor)
    assert len(outline) == 4
    assert outline[0] == pytest.approx(CAMERA.project(floor[0]))
    assert CAMERA.outline([(0.0, 0.0, -1.0), (1.0, 0.0, -1.0), (1.0, 1.0, -2.0)]) == []


def test_degenerate_quadrilateral_is_refused() -> None:
    with pytest.raises(ValueError, match="no area"):
        square_to_quad([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)], 1.0, 1.0)


def tuple3(x: float, y: float, z: float) -> tuple[float, float, float]:
    return x, y, z
