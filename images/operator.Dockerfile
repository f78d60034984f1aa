# The operator: moves rollouts. No torch.
#
#   docker build -f images/operator.Dockerfile --build-arg PYTHON_DIGEST=sha256:… -t pitwall-operator .
#
# The digest is that of the base image which you trust: `docker buildx imagetools inspect python:3.11-slim-bookworm`.
# Packages come from the index that pip is configured for; another one, or a proxy's certificate, is given at build time:
#   --secret id=pip.conf,src=pip.conf
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG PYTHON_DIGEST

FROM ${PYTHON_IMAGE}@${PYTHON_DIGEST} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/operator.lock requirements/build.lock requirements/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv --without-pip /venv && \
    pip --python /venv/bin/python3 install --require-hashes --no-deps --only-binary :all: -r requirements/operator.lock && \
    python3 -m venv --without-pip /tools && \
    pip --python /tools/bin/python3 install --require-hashes --no-deps --only-binary :all: -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY crds/ crds/
COPY flags/ flags/
COPY operator/ operator/
COPY gateway/ gateway/
COPY runtime/ runtime/
COPY dashboards/ dashboards/
# The wheel needs no index: what builds it is already there, what it needs too.
RUN pip --python /tools/bin/python3 wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels . && \
    pip --python /venv/bin/python3 install --no-index --no-deps wheels/*.whl

FROM ${PYTHON_IMAGE}@${PYTHON_DIGEST}
LABEL org.opencontainers.image.title="pitwall-operator" \
      org.opencontainers.image.description="Moves rollouts of frame samplers" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /venv /venv
COPY LICENSE images/notices/operator.md images/notices/operator.cdx.json /usr/share/doc/pitwall/
# The root file system is read-only in the cluster: what wants a home has /tmp, what wants a user's name has one.
ENV PATH="/venv/bin:$PATH" HOME=/tmp USER=pitwall PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080 8443
ENTRYPOINT ["python3", "-m", "pitwall_operator.cluster"]
