# The two commands, in a container:
#   docker build -t vision-pipeline .
#   docker run --rm -it --gpus all --shm-size 2g -v "$PWD/out:/pipeline/out" vision-pipeline
# Leave out `--gpus all` where there is no GPU. Mount real images and name them: -v /my/images:/images -e DATA_MIRROR=/images
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

# DVC wants a repository, MLflow records the commit
RUN useradd --create-home user && mkdir /pipeline && chown user /pipeline
USER user
WORKDIR /pipeline

# the environment first: it changes less often than the code
COPY --chown=user requirements.lock pyproject.toml Makefile README.md LICENSE ./
COPY --chown=user stages/__init__.py stages/__init__.py
RUN make setup

COPY --chown=user . .
EXPOSE 5000
# test first, with: docker run --rm vision-pipeline make test
CMD ["make"]
