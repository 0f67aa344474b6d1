"""The swarm: known minima, walls, seeds, and what holds in every generation."""

import numpy as np
import pytest
import torch
from known_problems import JOINTS, make_images, make_quadratics, rosenbrock, swarm_of

from handbench.errors import BadInput
from handbench.fitting.joint_energy import JointEnergy
from handbench.fitting.lbfgsb import minimise
from handbench.fitting.problem import Bounds, Trace, bound_by_cube
from handbench.fitting.pso import COGNITIVE, INERTIA, SwarmSettings, _Swarm, scatter, search
from handbench.hand.keypoints import KEYPOINTS, Hand, keypoint_positions
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE

LONG = SwarmSettings(particles=40, generations=200)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def box(dims: int, size: float = 1.0) -> Bounds:
    return Bounds(torch.full((dims,), -size), torch.full((dims,), size))


def search_quadratics(frames: int = 5, dims: int = 6, seed: int = 0, settings: SwarmSettings = LONG) -> Trace:
    objective = swarm_of(make_quadratics(frames, dims))
    start = torch.zeros(frames, dims, dtype=torch.float64)
    return search(objective, start, torch.full((dims,), 0.5), box(dims), seeded(seed), settings)


def test_constriction_is_clerc_and_kennedys():
    phi = 4.1
    assert pytest.approx(2 / abs(2 - phi - (phi**2 - 4 * phi) ** 0.5), abs=1e-4) == INERTIA
    assert pytest.approx(1.496, abs=1e-3) == COGNITIVE


def test_rosenbrock():
    start = torch.tensor([[-1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    trace = search(swarm_of(rosenbrock), start, torch.ones(2), box(2, 2.0), seeded(), LONG)
    torch.testing.assert_close(trace.final, torch.ones(2, 2).double(), atol=1e-3, rtol=0)
    assert trace.evaluations.tolist() == [8000, 8000]


def test_same_minimum_as_lbfgs_with_bounds_in_effect():
    frames, dims = 5, 6
    found = search_quadratics(frames, dims)
    best = minimise(make_quadratics(frames, dims), torch.zeros(frames, dims, dtype=torch.float64), box(dims))
    assert float((best.final.abs() == 1).double().mean()) > 0.3
    torch.testing.assert_close(found.energies[-1], best.energies[-1], atol=1e-4, rtol=0)


def test_never_leaves_the_box_and_never_rises():
    seen: list[torch.Tensor] = []
    measure = swarm_of(make_quadratics(4, 6))

    def watched(swarm):
        seen.append(swarm.clone())
        return measure(swarm)

    start = torch.full((4, 6), 3.0, dtype=torch.float64)
    trace = search(watched, start, torch.full((6,), 2.0), box(6), seeded(), SwarmSettings(10, 30))
    assert len(seen) == 30
    assert float(torch.stack(seen).abs().max()) <= 1
    assert trace.points.shape == (31, 4, 6)
    assert torch.equal(trace.start, torch.ones(4, 6).double())
    assert (trace.energies.diff(dim=0) <= 0).all()
    for points, energies in zip(trace.points, trace.energies, strict=True):
        assert torch.equal(measure(points[:, None])[:, 0], energies)


def test_same_seed_same_numbers():
    once, again, other = (search_quadratics(seed=seed, settings=SwarmSettings(8, 5)) for seed in (0, 0, 1))
    assert torch.equal(once.points, again.points)
    assert not torch.equal(once.points, other.points)


def test_a_batch_is_its_frames_one_by_one():
    trace = search_quadratics(4, 6, settings=SwarmSettings(8, 20))
    for frame in range(4):

        def alone(swarm, frame=frame):
            return swarm_of(make_quadratics(4, 6))(swarm.expand(4, -1, -1))[frame, None]

        start = torch.zeros(1, 6, dtype=torch.float64)
        single = search(alone, start, torch.full((6,), 0.5), box(6), seeded(), SwarmSettings(8, 20))
        assert torch.equal(single.points[:, 0], trace.points[:, frame])


def test_a_frame_at_its_minimum_stays():
    start = torch.tensor([[1.0, 1.0]])
    trace = search(swarm_of(rosenbrock), start, torch.ones(2), box(2, 2.0), seeded())
    assert bool((trace.points == 1).all())
    assert bool((trace.energies == 0).all())


def test_among_equals_the_start_stays():
    def level(swarm):
        return torch.zeros(swarm.shape[:2])

    trace = search(level, torch.full((2, 3), 0.25), torch.ones(3), box(3), seeded())
    assert bool((trace.points == 0.25).all())


def test_the_first_particle_is_the_start_and_the_spread_is_kept():
    start = torch.tensor([[0.5, 0.0], [-0.5, 0.0]])
    swarm = scatter(start, torch.tensor([0.1, 0.0]), box(2, 10.0), seeded(), 2000)
    assert torch.equal(swarm[:, 0], start)
    assert bool((swarm[..., 1] == 0).all())
    assert float(swarm[0, :, 0].std()) == pytest.approx(0.1, rel=0.1)
    assert float(swarm[1, :, 0].mean()) == pytest.approx(-0.5, abs=0.01)


def test_at_a_wall_place_and_velocity_stop():
    swarm = _Swarm(box(2), torch.tensor([[[0.9, 0.9]]]))
    swarm.velocities = torch.tensor([[[1.0, -1.0]]])
    swarm.move(seeded())
    # The only particle is its own and the swarm's best: nothing pulls, inertia alone moves it.
    torch.testing.assert_close(swarm.points, torch.tensor([[[1.0, 0.9 - INERTIA]]]))
    torch.testing.assert_close(swarm.velocities, torch.tensor([[[0.0, -INERTIA]]]))


def test_an_infinite_energy_is_a_place_not_to_be():
    def walled(swarm):
        return torch.where(swarm[..., 0] > 0.1, torch.inf, (swarm - 1).square().sum(-1))

    trace = search(walled, torch.zeros(1, 2), torch.ones(2), box(2), seeded(), LONG)
    assert trace.final[0].tolist() == pytest.approx([0.1, 1.0], abs=1e-3)


@pytest.mark.parametrize(("value", "particle"), [(torch.nan, 3), (torch.nan, 0), (torch.inf, 0)])
def test_an_energy_that_is_no_number_is_one_clear_error(value, particle):
    def broken(swarm):
        energies = swarm.square().sum(-1)
        energies[1, particle] = value
        return energies

    with pytest.raises(BadInput, match=r"found NaN or infinity in frame 1"):
        search(broken, torch.zeros(3, 2), torch.ones(2), box(2), seeded())


def test_an_empty_swarm_is_refused():
    with pytest.raises(BadInput, match="use at least one"):
        search(swarm_of(rosenbrock), torch.zeros(1, 2), torch.ones(2), box(2), seeded(), SwarmSettings(particles=0))


def test_image_energy_falls():
    energy, _, start = make_images(3)
    spread = torch.full((3 * JOINTS,), 0.2)
    trace = search(energy.measure_swarm, start, spread, bound_by_cube(JOINTS), seeded())
    assert bool((trace.energies[-1] < 0.7 * trace.energies[0]).all())


def test_a_hand_is_found_from_its_joints():
    """26 parameters within the hand's limits; the swarm starts some centimetres and tens of degrees away."""
    rng = np.random.default_rng(0)
    low = np.concatenate([[-100, -100, 500, -1.5, -1.5, -1.5], ANGLE_LIMITS_RAD[:, 0]])
    high = np.concatenate([[100, 100, 900, 1.5, 1.5, 1.5], ANGLE_LIMITS_RAD[:, 1]])
    spread = np.concatenate([[20] * 3, [0.3] * 3, (high - low)[6:] / 4])
    truth = rng.uniform(low, high, (10, 26))
    hand = Hand(REFERENCE_SHAPE, KEYPOINTS["msra"])
    joints_mm = torch.tensor(keypoint_positions(hand.keypoints, hand.shape, truth), dtype=torch.float32)
    low, high, spread, start = (
        torch.tensor(numbers, dtype=torch.float32)
        for numbers in (low, high, spread, truth + spread * rng.normal(size=truth.shape))
    )
    energy = JointEnergy(hand, joints_mm)
    trace = search(energy.measure_swarm, start, spread, Bounds(low, high), seeded(), SwarmSettings(64, 150))
    assert float(trace.energies[0].median()) > 1000
    assert float(trace.energies[-1].median()) < 15
