"""Arguments and methods of the SageMaker SDK that have no meaning here, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA = (
    "no data is fetched: mount it, as in Estimator(volumes={'/data': {'persistentVolumeClaim': {'claimName': '…'}}}), "
    "or fetch it in an init container, as in pod={'initContainers': […]}"
)
_CODE = "no code is uploaded: put it into the image, and write the program as command=['python', 'train.py']"
_UPLOAD = "nothing is uploaded: let the training write to a volume (volumes=) or a bucket"
_SESSION = "write session=tuning_client.Session(namespace=…, context=…)"
_NETWORK = "Pods are in the cluster's network: restrict them by a NetworkPolicy"
_NO_PROFILER = "there is no debugger and no profiler here: let the training run its own"

ESTIMATOR = {
    "role": "what a Pod may do comes from its service account: write pod={'serviceAccountName': '…'}",
    "keep_alive_period_in_seconds": "there are no instances to keep: leave it out",
    "volume_size": "write resources={'requests': {'ephemeral-storage': '30Gi'}}, or mount a volume by volumes=",
    "volume_kms_key": "encryption is up to the volume: mount one by volumes=",
    "input_mode": _DATA,
    "output_path": _UPLOAD,
    "output_kms_key": _UPLOAD,
    "sagemaker_session": f"{_SESSION} to the tuner",
    "subnets": _NETWORK,
    "security_group_ids": _NETWORK,
    "model_uri": _DATA,
    "model_channel_name": _DATA,
    "encrypt_inter_container_traffic": "encryption is the cluster network's business: leave it out",
    "use_spot_instances": (
        "let pod={'nodeSelector': …, 'tolerations': …} select spot nodes; attempts that lose their node are repeated"
    ),
    "max_wait": "a trial waits for a node as long as it takes: bound the job by max_runtime_in_seconds of the tuner",
    "checkpoint_s3_uri": "nothing is copied: mount a volume by volumes= (examples/checkpoints.yaml)",
    "checkpoint_local_path": "nothing is copied: mount a volume by volumes= (examples/checkpoints.yaml)",
    "enable_network_isolation": _NETWORK,
    "rules": _NO_PROFILER,
    "debugger_hook_config": _NO_PROFILER,
    "tensorboard_output_config": "let the training write its events to a volume (volumes=)",
    "enable_sagemaker_metrics": "metrics are those that the training reports (docs/metrics-contract.md): leave it out",
    "profiler_config": _NO_PROFILER,
    "disable_profiler": _NO_PROFILER,
    "source_dir": _CODE,
    "git_config": _CODE,
    "container_log_level": "write environment={'LOG_LEVEL': '…'}, or what the training reads",
    "code_location": _CODE,
    "entry_point": _CODE,
    "dependencies": _CODE,
    "instance_groups": "all nodes of a trial are alike: write instance_count and instance_type, or resources=",
    "training_repository_access_mode": "write pod={'imagePullSecrets': [{'name': '…'}]}",
    "training_repository_credentials_provider_arn": "write pod={'imagePullSecrets': [{'name': '…'}]}",
    "enable_infra_check": "leave it out",
    "disable_output_compression": _UPLOAD,
    "enable_remote_debug": "write kubectl exec while a trial runs",
    "enable_session_tag_chaining": "leave it out",
    "training_plan": "Kubernetes and Kueue decide about queues and quotas (docs/install.md)",
    "instance_placement_config": "write pod={'affinity': …}",
}
TUNER = {
    "estimator_name": "a job has one template, which needs no name",
    "autotune": "ranges and limits are not guessed: give hyperparameter_ranges and max_jobs",
    "hyperparameters_to_keep_static": "ranges are not guessed: set_hyperparameters of the estimator keeps values",
    "sagemaker_session": _SESSION,
}
TUNE = {
    "base_image": "write image=",
    "runtime": "write image=",
    "objective_metric_name": "write objective=",
    "objectives": "a job has one: write objective= and goal=",
    "objective_type": "write goal='Maximize' or 'Minimize'",
    "objective_goal": "write target=",
    "additional_metric_names": "all that is reported is recorded: leave it out",
    "search_space": "write parameters=",
    "func": "write function=",
    "func_args": "values that are the same for all trials belong in parameters=, too",
    "trial_template": "write function= and image=",
    "trial_config": "write max_trials= and max_parallel_trials=",
    "algorithm": "write strategy=",
    "algorithm_name": "write strategy=",
    "algorithm_settings": "write seed=, or spec= for the settings of Hyperband",
    "max_trial_count": "write max_trials=",
    "num_trials": "write max_trials=",
    "parallel_trial_count": "write max_parallel_trials=",
    "parallel_trials": "write max_parallel_trials=",
    "max_failed_trial_count": "write spec={'limits': {'maxFailedTrials': 3}}: the job fails after this many failures",
    "max_failed_trials": "write spec={'limits': {'maxFailedTrials': 3}}: the job fails after this many failures",
    "resources_per_trial": "write resources={'limits': {'nvidia.com/gpu': 1}}, as a container has them",
    "env_per_trial": "write environment=",
    "packages_to_install": "write packages=",
    "pip_index_url": "write index_url=",
    "pip_index_urls": "write index_url=",
    "retain_trials": "Pods are kept; write spec={'podCleanup': 'Delete'} where they are not wanted",
    "metrics_collector_config": "the function reports by report(epoch, {metric: value})",
    "namespace": "write session=tuning_client.Session(namespace=…)",
}
FIT = {
    "inputs": f"{_DATA}; then call fit() without inputs",
    "estimator_kwargs": "a job has one template: give the arguments to Estimator",
    "include_cls_metadata": "there is no class to find again: attach() takes a job's name alone",
    "logs": "write kubectl logs, for the Pod of a trial",
    "experiment_config": "there are no experiments here: write tags= to the tuner",
}
ATTACH = {
    "sagemaker_session": _SESSION,
    "job_details": "the job is read from the cluster: leave it out",
    "estimator_cls": "the template is that of the job: leave it out",
}
ANALYTICS = {"sagemaker_session": _SESSION}
ESTIMATOR_METHODS = {
    "fit": "a single training is a Pod of yours: kubectl apply; a tuner with max_jobs=1 runs it with one set of values",
    "deploy": "models are not served here",
    "logs": "write kubectl logs, for the Pod of a trial",
    "model_data": "nothing is uploaded: the model is where the training has written it",
    "latest_training_job": "trials belong to a job: HyperparameterTuner(…).analytics().dataframe()",
}
TUNER_METHODS = {
    "best_estimator": "best_training_job() names the trial; the model is where the training has written it",
    "deploy": "models are not served here; best_training_job() names the trial",
    "delete_endpoint": "models are not served here",
    "create": "a job has one template: make a HyperparameterTuner of each estimator",
    "add_estimator": "a job has one template: make a HyperparameterTuner of each estimator",
    "hyperparameter_ranges_dict": "a job has one template: hyperparameter_ranges()",
    "override_resource_config": "all trials have one template: write resources= and pod= to Estimator",
    "sagemaker_session": "the attribute is session",
}


def refuse(what: str, given: Mapping[str, Any], remedies: Mapping[str, str]) -> None:
    """Raise a TypeError for arguments without a counterpart, unless they are off."""
    for name, value in given.items():
        if name not in remedies:
            raise TypeError(f"{what} has no argument {name!r}: see its help()")
        if not (value is None or value is False or (isinstance(value, list | dict | str) and not value)):
            raise TypeError(f"{what} does not take {name}: {remedies[name]}")


def missing(instance: object, name: str, remedies: Mapping[str, str]) -> AttributeError:
    """Return the error for an attribute that is not there."""
    remedy = f": {remedies[name]}" if name in remedies else ""
    return AttributeError(f"{type(instance).__name__} has no {name!r}{remedy}")
