"""Every check against its bank of right and wrong answers."""

import pytest

from courseware.grading import find_task, task_ids
from tests.answers import banks
from tests.answers.banks import name_of


@pytest.mark.parametrize(("task", "answer"), banks.pairs(banks.RIGHT), ids=name_of)
def test_right_answers_pass(task, answer):
    verdict = banks.examined(task, answer)
    assert verdict.status == "passed", verdict


@pytest.mark.parametrize(("task", "pair"), banks.pairs(banks.WRONG), ids=name_of)
def test_wrong_answers_fail_with_the_hint_that_fits(task, pair):
    answer, key = pair
    verdict = banks.examined(task, answer)
    assert (verdict.status, verdict.key) == ("failed", key), verdict
    assert verdict.hint and verdict.property


@pytest.mark.parametrize("task", task_ids())
def test_a_table_s_own_wrong_solutions_meet_their_own_hint(task):
    for answer, key in banks.own_mistakes(task):
        verdict = banks.examined(task, answer)
        assert (verdict.status, verdict.key) == ("failed", key), verdict


@pytest.mark.parametrize(
    ("task", "answer"), banks.pairs(banks.BLIND_RIGHT), ids=name_of
)
def test_right_answers_written_without_sight_of_the_checks_pass(task, answer):
    verdict = banks.examined(task, answer)
    assert verdict.status == "passed", verdict


@pytest.mark.parametrize(
    ("task", "answer"), banks.pairs(banks.BLIND_WRONG), ids=name_of
)
def test_wrong_answers_written_without_sight_of_the_checks_fail(task, answer):
    verdict = banks.examined(task, answer)
    assert verdict.status == "failed" and verdict.hint, verdict


@pytest.mark.slow
@pytest.mark.parametrize("seed", banks.SEEDS)
@pytest.mark.parametrize("task", task_ids())
def test_fresh_cases_judge_every_answer_as_the_learner_s_own_do(task, seed):
    for answer in banks.right_answers(task):
        verdict = banks.examined(task, answer, seed)
        assert verdict.status == "passed", (name_of(answer), verdict)
    for answer, key in banks.wrong_answers(task):
        verdict = banks.examined(task, answer, seed)
        assert verdict.status == "failed", name_of(answer)
        assert key is None or verdict.key == key, (name_of(answer), verdict)


@pytest.mark.parametrize("task", task_ids())
def test_banks_are_large_enough_and_a_third_is_blind(task):
    right, wrong = len(banks.RIGHT[task]), len(banks.WRONG[task])
    few = find_task(task).kind == "choice"  # as many as there are wrong letters
    assert right >= 3 and wrong >= (6 if few else 8)
    unseen = len(banks.BLIND_RIGHT[task]) + len(banks.BLIND_WRONG[task])
    assert 3 * unseen >= right + wrong + unseen


@pytest.mark.parametrize("task", task_ids())
def test_every_mistake_of_a_table_is_met_by_an_answer(task):
    known = {key for _, key in banks.wrong_answers(task)}
    left = [key for key in find_task(task).mistakes if key not in known]
    blind = banks.BLIND_WRONG.get(task, []) if left else []
    met = {banks.examined(task, answer).key for answer in blind}
    assert not set(left) - met, "no answer of the banks meets these"


@pytest.mark.parametrize("task", banks.code_tasks())
def test_the_exercise_s_own_solution_passes(task):
    assert banks.examined(task, banks.made(banks.solutions()[task])).status == "passed"
