# syntax=docker/dockerfile:1
# One image with all three programs: doorbuster-api, doorbuster-worker and doorbuster (migrate, seed, audit, ...).

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# Crates and objects stay in caches between builds. A cache is no part of the image, so the programs are
# copied out of it in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/usr/local/cargo/git,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --bins -p doorbuster -p doorbuster-api -p doorbuster-worker \
    && install -D -t /out target/release/doorbuster target/release/doorbuster-api target/release/doorbuster-worker

FROM debian:bookworm-slim
# For TLS to managed PostgreSQL, Redis and RabbitMQ.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin doorbuster
COPY --from=build /out/ /usr/local/bin/
# By number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 10001:10001
EXPOSE 8080
CMD ["doorbuster-api"]
