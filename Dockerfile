# Compiled and installed in one image, run in another that has neither pip's leftovers nor the sources.
FROM python:3.13-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY . .
RUN pip wheel --quiet --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/venv \
    && /opt/venv/bin/pip install --quiet --constraint constraints.txt "$(echo /wheels/*.whl)[api,report]"


FROM python:3.13-slim

# A home of its own: the workers' heartbeat files and whatever Celery wants to leave need a place to write.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/progress-worker worker
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER worker
WORKDIR /var/lib/progress-worker

CMD ["celery", "-A", "worker", "worker"]
