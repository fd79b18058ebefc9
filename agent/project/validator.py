"""All that is wrong with a project, beyond what its files already show on reading."""

from agent.dialogue.contradictions import find_contradictions
from agent.project.domain_checks import check_domain
from agent.project.nlu_checks import check_nlu
from agent.project.story_checks import check_stories
from agent.project.types import Notice, Project
from agent.project.usage import find_usage

_ORDER = {"error": 0, "warning": 1, "info": 2}


def validate(project: Project) -> list[Notice]:
    """Every finding about a project, errors first, then by file and line.

    The notices of reading are included, so that a project read by `read_project` shows all
    of its errors at once. Contradictions are sought only where no other error stands, for
    they are played through with the policies.
    """
    usage = find_usage(project)
    notices = [
        *project.notices,
        *check_nlu(project.nlu, project.domain),
        *check_domain(project, usage),
        *check_stories(project, usage),
    ]
    if not any(notice.level == "error" for notice in notices):
        notices += find_contradictions(project)
    unique = {(n.message, n.place, n.key): n for n in reversed(notices)}.values()
    return sorted(unique, key=lambda n: (_ORDER[n.level], n.place.path, n.place.line, n.message))
