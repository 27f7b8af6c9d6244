"""Several at once, in order, and no more under way than there is room for."""

import threading
from contextlib import closing

from core.dataset.parallel import bounded_map


class Busy:
    """Counts what is under way, and remembers the most."""

    def __init__(self, weights=None):
        self.weights, self.now, self.most, self.alone, self._lock = weights, 0, 0, 0, threading.Lock()

    def __call__(self, item):
        weight = item if self.weights is None else self.weights[item]
        with self._lock:
            self.now += weight
            self.most = max(self.most, self.now)
        threading.Event().wait(0.02)
        with self._lock:
            self.now -= weight
        return item * 10


def test_results_come_in_the_order_of_the_items():
    assert list(bounded_map(lambda item: item * 10, range(20), workers=4)) == [(item, item * 10) for item in range(20)]


def test_what_is_under_way_weighs_no_more_than_is_allowed_and_the_heavy_goes_alone():
    busy = Busy()
    items = [1, 1, 5, 1, 1, 1, 1, 9, 9, 1, 2, 3]
    assert [result for _, result in bounded_map(busy, items, workers=4, weigh=float, most=5)] == [item * 10 for item in items]
    assert busy.most == 9, "nothing beside what alone is more than is allowed"
    busy = Busy()
    list(bounded_map(busy, [1] * 12, workers=4, weigh=float, most=100))
    assert busy.most == 4


def test_an_item_is_weighed_once_and_what_is_not_yet_taken_counts():
    weighed, begun = [], []
    with closing(bounded_map(begun.append, range(6), workers=2, weigh=lambda item: weighed.append(item) or 2, most=4)) as results:
        next(results)
        threading.Event().wait(0.1)
        assert begun == [0, 1] and weighed == [0, 1, 2]
        list(results)
    assert weighed == list(range(6))
