# The two commands, in a container:
#   docker build -t vision-pipeline .
#   docker run -it --name vision --gpus all vision-pipeline      # leave out `--gpus all` where there is no GPU
#   docker cp vision:/pipeline/reports . && docker cp vision:/pipeline/exports .
#   docker run --rm vision-pipeline make test
# Your own copies of the images: -v /my/images:/images:ro -e DATA_MIRROR=/images
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
COPY --chown=user vision_pipeline/__init__.py vision_pipeline/__init__.py
RUN make setup

COPY --chown=user . .
CMD ["make"]
