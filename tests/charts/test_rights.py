"""Who is given which rights, and what an administrator adds for a namespace of its own."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pitwall_operator.kube import rights
from pitwall_operator.kube.rights import Right

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PARTS = ("-operator", "-operator-lease", "-operator-claim", "-gateway")
ADMINISTRATOR = ROOT / "examples" / "install" / "administrator.yaml"


def test_a_set_of_namespaces_needs_no_right_outside_of_them(render):
    rendered = render("namespaced")
    cluster_wide = [
        one["kind"] for one in rendered.objects if one["kind"].startswith("Cluster") or "Webhook" in one["kind"]
    ]
    places = {one["metadata"]["namespace"] for one in rendered.all("Role") + rendered.all("RoleBinding")}

    assert cluster_wide == []
    assert places == {"race", "video-qa", "search"}
    assert rendered.all("CustomResourceDefinition") == []


@pytest.mark.parametrize("case", ["default", "namespaced", "everything"])
def test_nobody_is_given_more_than_he_uses(render, case):
    roles = render(case).all("ClusterRole") + render(case).all("Role")
    given = {part: set(_given(roles, part)) for part in PARTS}

    assert {replace(right, name="") for right in given["-operator-lease"]} == rights.LEASE
    everywhere = any(role["kind"] == "ClusterRole" and _is_of(role, "-operator") for role in roles)
    own = rights.SURVEY if everywhere else rights.CLAIMS
    assert {replace(right, name="") for right in given["-operator"]} == rights.OPERATOR | own
    assert {replace(right, name="") for right in given["-operator-claim"]} == (rights.CLAIMS if everywhere else set())
    for part in PARTS:
        named = {right.verb for right in given[part] if right.resource == "leases" and not right.name}
        assert named <= {"create", "list"}, "no Lease of somebody else may be read alone or changed"
    assert given["-gateway"] == rights.GATEWAY
    assert not any("*" in str(right) for right in rights.INSTALLER)
    assert not any(right.resource == "secrets" for right in rights.OPERATOR)
    ours = {right for right in rights.OPERATOR if right.group == "pitwall.dev" and "/" not in right.resource}
    assert {right.verb for right in ours} == {"get", "list", "watch"}, "the operator never writes a spec"


def _is_of(role, suffix):
    """What stands outside of namespaces has its release's namespace behind a dot."""
    return role["metadata"]["name"].partition(".")[0].endswith(suffix)


def _given(roles, suffix):
    for role in roles:
        if _is_of(role, suffix):
            for rule in role["rules"]:
                for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]):
                    yield Right(group, resource, verb, *rule.get("resourceNames", ()))


def test_the_whole_cluster_is_claimed_where_administrators_alone_write(render):
    rendered = render("default")
    (role,) = [one for one in rendered.all("Role") if _is_of(one, "-operator-claim")]
    (operator,) = [one for one in rendered.all("Deployment") if one["metadata"]["name"].endswith("-operator")]

    assert role["metadata"]["namespace"] == "kube-system"
    assert "--claims-namespace=kube-system" in operator["spec"]["template"]["spec"]["containers"][0]["args"]


def test_who_installs_in_a_namespace_must_be_able_to_make_whatever_the_chart_makes_there(render):
    makes = {right.resource for right in rights.INSTALLER if right.verb == "create"}
    kinds = {one["kind"].lower() for one in render("namespaced").objects}

    assert {f"{kind}s".replace("ys", "ies") for kind in kinds} <= makes


def test_the_administrators_part_gives_namespaces_admins_what_they_lack_and_nothing_of_the_cluster(render):
    (role,) = [one for one in yaml.safe_load_all(ADMINISTRATOR.read_text()) if one]

    assert role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-admin"] == "true"
    ours = {right for right in rights.INSTALLER if right.group == "pitwall.dev"}
    given = set(_given([role], ""))
    assert ours <= given
    assert {right.group for right in given} <= {right.group for right in rights.INSTALLER}
