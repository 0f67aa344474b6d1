"""L-BFGS in a box: known minima, scipy's minima, and what holds on every way down."""

import pytest
import torch
from known_problems import JOINTS, make_images, make_quadratics, rosenbrock

from handbench.errors import BadInput
from handbench.fitting.curvature import Curvature
from handbench.fitting.lbfgsb import minimise
from handbench.fitting.problem import Bounds, DescentSettings, bound_by_cube
from handbench.fitting.scipy_lbfgsb import minimise_with_scipy

TO_THE_END = DescentSettings(iterations=500, gradient_tolerance=1e-9, energy_tolerance=1e-15)
BOTH = pytest.mark.parametrize("optimiser", [minimise, minimise_with_scipy])


def cube(dims: int) -> Bounds:
    return Bounds(-torch.ones(dims), torch.ones(dims))


def starts(frames: int, dims: int) -> torch.Tensor:
    return torch.rand(frames, dims, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


@BOTH
def test_a_bound_in_effect_by_hand(optimiser):
    # (x - 3)^2 + (y - 0.5)^2: the wall x = 1, and y as if x were free.
    target = torch.tensor([3.0, 0.5])

    def parabola(points, _):
        apart = points - target.to(points)
        return apart.square().sum(1), 2 * apart

    trace = optimiser(parabola, torch.zeros(1, 2), cube(2))
    assert trace.final[0].tolist() == pytest.approx([1.0, 0.5], abs=1e-5)
    assert float(trace.energies[-1]) == pytest.approx(4.0, abs=1e-6)
    assert trace.converged.all()


@BOTH
@pytest.mark.parametrize(
    ("high", "minimum", "energy"),
    # With x <= 0.5 the best y is x^2, and (1 - x)^2 is left.
    [(2.0, (1.0, 1.0), 0.0), ((0.5, 2.0), (0.5, 0.25), 0.25)],
)
def test_rosenbrock(optimiser, high, minimum, energy):
    bounds = Bounds(torch.full((2,), -2.0), torch.as_tensor(high).expand(2).clone())
    trace = optimiser(rosenbrock, 2 * starts(20, 2), bounds, TO_THE_END)
    torch.testing.assert_close(trace.final, torch.tensor([minimum]).double().expand(20, 2), atol=1e-6, rtol=0)
    torch.testing.assert_close(trace.energies[-1], torch.full((20,), energy).double(), atol=1e-9, rtol=0)


def test_same_minimum_as_scipy_on_convex_quadratics_with_bounds_in_effect():
    frames, dims = 24, 20
    objective = make_quadratics(frames, dims)
    ours, theirs = (f(objective, starts(frames, dims), cube(dims), TO_THE_END) for f in (minimise, minimise_with_scipy))
    assert float((ours.final.abs() == 1).double().mean()) > 0.4
    torch.testing.assert_close(ours.energies[-1], theirs.energies[-1], atol=1e-10, rtol=0)
    torch.testing.assert_close(ours.final, theirs.final, atol=1e-5, rtol=0)
    assert ours.converged.all()
    assert ours.evaluations.double().mean() < 1.2 * theirs.evaluations.double().mean()


def test_the_last_point_meets_the_conditions_of_a_minimum():
    objective = make_quadratics(8, 12)
    trace = minimise(objective, starts(8, 12), cube(12), TO_THE_END)
    _, gradients = objective(trace.final, torch.arange(8))
    inside = trace.final.abs() < 1
    assert float(gradients[inside].abs().max()) < 1e-6
    assert bool((gradients[~inside] * trace.final[~inside] <= 0).all())


def test_images_are_explained_as_well_as_by_scipy():
    energy, _, start = make_images(12)
    settings = DescentSettings(iterations=60)
    ours, theirs = (
        f(energy.differentiate, start, bound_by_cube(JOINTS), settings) for f in (minimise, minimise_with_scipy)
    )
    assert float(ours.energies[-1].mean()) < 1.05 * float(theirs.energies[-1].mean())
    assert float(ours.energies[-1].mean()) < 0.2 * float(ours.energies[0].mean())


@BOTH
def test_never_leaves_the_box_never_rises_and_keeps_every_step(optimiser):
    energy, _, start = make_images(6)
    trace = optimiser(energy.differentiate, 2 * start, bound_by_cube(JOINTS), DescentSettings(iterations=15))
    assert trace.points.shape == (16, 6, 3 * JOINTS)
    assert trace.energies.shape == (16, 6)
    assert torch.equal(trace.start, (2 * start).clamp(-1, 1))
    assert float(trace.points.abs().max()) <= 1
    assert (trace.energies.diff(dim=0) <= 0).all()
    for points, energies in zip(trace.points, trace.energies, strict=True):
        torch.testing.assert_close(energy.measure(points, torch.arange(6)), energies, atol=1e-6, rtol=1e-4)


def test_a_batch_is_its_frames_one_by_one():
    frames, dims = 7, 9
    trace = minimise(make_quadratics(frames, dims), starts(frames, dims), cube(dims))
    for frame in range(frames):

        def alone(points, rows, frame=frame):
            return make_quadratics(frames, dims)(points, rows + frame)

        single = minimise(alone, starts(frames, dims)[frame, None], cube(dims))
        torch.testing.assert_close(single.points[:, 0], trace.points[:, frame], atol=1e-9, rtol=0)
        assert int(single.evaluations) == int(trace.evaluations[frame])


def test_same_numbers_twice():
    energy, _, start = make_images(4)
    once, again = (minimise(energy.differentiate, start, bound_by_cube(JOINTS)) for _ in range(2))
    assert torch.equal(once.points, again.points)


@BOTH
def test_a_frame_at_its_minimum_stays_and_costs_one_evaluation(optimiser):
    trace = optimiser(rosenbrock, torch.tensor([[1.0, 1.0], [-1.0, 1.0]]), Bounds(-torch.ones(2), 2 * torch.ones(2)))
    assert bool((trace.points[:, 0] == 1).all())
    assert trace.evaluations[0] == 1
    assert trace.converged[0]
    assert trace.evaluations[1] > 5


def test_frames_that_stopped_are_not_evaluated_again():
    asked: list[int] = []
    quadratics = make_quadratics(10, 6)

    def objective(points, rows):
        asked.append(len(rows))
        return quadratics(points, rows)

    trace = minimise(objective, starts(10, 6), cube(6))
    assert sum(asked) == int(trace.evaluations.sum())
    assert len(asked) == int(trace.evaluations.max())
    assert asked[-1] < 10
    assert asked == sorted(asked, reverse=True)


def test_a_wall_of_infinite_energy_is_stepped_back_from():
    def walled(points, rows):
        energies, gradients = rosenbrock(points, rows)
        return torch.where(points[:, 0] > 1.5, torch.inf, energies), gradients

    start = torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
    trace = minimise(walled, start, Bounds(torch.full((2,), -9.0), torch.full((2,), 9.0)), TO_THE_END)
    assert trace.final[0].tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_an_objective_that_lies_about_its_slope_ends_without_convergence():
    def uphill(points, _):
        return points.square().sum(1), -2 * points

    trace = minimise(uphill, torch.full((1, 2), 0.5), cube(2))
    assert not trace.converged.any()
    assert torch.equal(trace.final, trace.start)
    assert int(trace.evaluations) <= 2 * DescentSettings().trials + 1


@BOTH
@pytest.mark.parametrize(
    ("bad_at", "message"),
    [(0.5, "is a number at the start, found NaN or infinity in frame 1"), (0.4, "is a num")],
)
def test_an_energy_that_is_no_number_is_one_clear_error(optimiser, bad_at, message):
    def broken(points, rows):
        energies = points.square().sum(1)
        wrong = (rows == 1) & (points[:, 0] <= bad_at)
        return torch.where(wrong, torch.nan, energies), 2 * points

    with pytest.raises(BadInput, match=message):
        optimiser(broken, torch.full((3, 2), 0.5), cube(2))


@BOTH
def test_a_gradient_that_is_no_number_is_one_clear_error(optimiser):
    def broken(points, rows):
        return points.square().sum(1), torch.where(rows[:, None] == 2, torch.nan, 2 * points)

    with pytest.raises(BadInput, match="expected a gradient that is a number, found NaN or infinity in frame 2"):
        optimiser(broken, torch.full((3, 2), 0.5), cube(2))


def test_bad_starts_and_bounds():
    with pytest.raises(BadInput, match="low <= high"):
        Bounds(torch.ones(2), -torch.ones(2))
    with pytest.raises(BadInput, match="expected 3 numbers a frame, found 2"):
        minimise(rosenbrock, torch.zeros(1, 2), cube(3))
    for start in (torch.full((1, 2), torch.nan), torch.zeros(0, 2)):
        with pytest.raises(BadInput, match="frames with finite starts"):
            minimise(rosenbrock, start, cube(2))


def test_no_iterations():
    trace = minimise(rosenbrock, torch.zeros(2, 2), cube(2), DescentSettings(iterations=0))
    assert torch.equal(trace.points, torch.zeros(1, 2, 2))


def test_two_loop_recursion_is_the_bfgs_matrix():
    """Against the product formula with dense matrices, all coordinates free."""
    generator = torch.Generator().manual_seed(0)
    dims, pairs = 5, 3
    root = torch.randn(dims, dims, generator=generator, dtype=torch.float64)
    hessian = root @ root.T + torch.eye(dims)
    curvature, row = Curvature(4, torch.zeros(1, dims, dtype=torch.float64)), torch.tensor([0])
    steps = torch.randn(pairs, dims, generator=generator, dtype=torch.float64)
    for step in steps:
        curvature.remember(row, step[None], (hessian @ step)[None])
    last = hessian @ steps[-1]
    inverse = (steps[-1] @ last / (last @ last)) * torch.eye(dims, dtype=torch.float64)
    for step in steps:
        change = hessian @ step
        left = torch.eye(dims) - torch.outer(step, change) / (step @ change)
        inverse = left @ inverse @ left.T + torch.outer(step, step) / (step @ change)
    gradient = torch.randn(1, dims, generator=generator, dtype=torch.float64)
    found = curvature.solve(row, gradient, torch.ones(1, dims, dtype=torch.bool))
    torch.testing.assert_close(found[0], inverse @ gradient[0])
