# Build in one image, run in another without pip's leftovers and the sources.
FROM python:3.13-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY . .
RUN pip wheel --quiet --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/venv \
    && /opt/venv/bin/pip install --quiet --constraint constraints.txt "$(echo /wheels/*.whl)[api,report]"


FROM python:3.13-slim

# A home directory for the workers' heartbeat files and Celery's files.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/progress-worker worker
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER worker
WORKDIR /var/lib/progress-worker

CMD ["celery", "-q", "-A", "worker", "worker"]
