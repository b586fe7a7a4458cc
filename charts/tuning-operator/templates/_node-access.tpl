{{/* What of a Pod gives access to its node, as variables of a policy in which `pod` is the Pod or its template. */}}
{{- define "tuning-operator.nodeAccessVariables" -}}
- name: containers
  expression: >-
    variables.pod.spec.containers + variables.pod.spec.?initContainers.orValue([]) +
    variables.pod.spec.?ephemeralContainers.orValue([])
- name: annotations
  expression: variables.pod.?metadata.?annotations.orValue({})
- name: contexts
  expression: >-
    [variables.pod.spec.?securityContext.orValue({})] +
    variables.containers.map(container, container.?securityContext.orValue({}))
- name: handlers
  expression: >-
    variables.containers.map(container,
      [container.?livenessProbe.orValue({}), container.?readinessProbe.orValue({}),
       container.?startupProbe.orValue({}), container.?lifecycle.?postStart.orValue({}),
       container.?lifecycle.?preStop.orValue({})])
{{- end }}

{{/*
The validations of such a policy: all that the level Baseline of the Pod Security Standards forbids, and the priority of the
cluster's own Pods, which take the place of others. Arguments: `above`, where the Pod's fields are; `unless`, an
expression of when nothing is asked.
*/}}
{{- define "tuning-operator.nodeAccessValidations" -}}
{{- range include "tuning-operator.nodeAccessRules" . | fromYamlArray }}
{{- $rule := regexReplaceAll "\\s+" .rule " " }}
- expression: {{ empty $.unless | ternary $rule (printf "%s || (%s)" $.unless $rule) | quote }}
  reason: Forbidden
  message: >-
    trainings get no access to their node: {{ $.above }}{{ .says }}
    (the chart's value admissionPolicies.hostAccess allows it)
{{- end }}
{{- end }}

{{- define "tuning-operator.nodeAccessRules" -}}
- says: spec.hostNetwork, hostPID and hostIPC may not be true
  rule: >-
    !variables.pod.spec.?hostNetwork.orValue(false) && !variables.pod.spec.?hostPID.orValue(false) &&
    !variables.pod.spec.?hostIPC.orValue(false)
- says: spec.volumes[*].hostPath may not be there
  rule: variables.pod.spec.?volumes.orValue([]).all(volume, !has(volume.hostPath))
- says: spec.containers[*].ports[*].hostPort may not be there
  rule: >-
    variables.containers.all(container,
      container.?ports.orValue([]).all(port, port.?hostPort.orValue(0) == 0))
- says: spec.containers[*].securityContext.privileged may not be true
  rule: variables.contexts.all(context, !context.?privileged.orValue(false))
- says: spec.containers[*].securityContext.capabilities.add may name none beyond a container's own
  rule: >-
    variables.contexts.all(context,
      context.?capabilities.?add.orValue([]).all(capability, capability in
        ['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP',
         'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT']))
- says: spec.securityContext.windowsOptions.hostProcess, or a container's, may not be true
  rule: variables.contexts.all(context, !context.?windowsOptions.?hostProcess.orValue(false))
- says: spec.containers[*].securityContext.procMount must be Default
  rule: variables.contexts.all(context, context.?procMount.orValue('Default') == 'Default')
- says: >-
    spec.securityContext.seLinuxOptions, or a container's, may have no user and no role, and only the types
    container_t, container_init_t, container_kvm_t and container_engine_t
  rule: >-
    variables.contexts.all(context,
      context.?seLinuxOptions.?user.orValue('') == '' && context.?seLinuxOptions.?role.orValue('') == '' &&
      context.?seLinuxOptions.?type.orValue('') in
        ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'])
- says: spec.securityContext.seccompProfile, or a container's, must be RuntimeDefault or Localhost
  rule: >-
    variables.contexts.all(context,
      context.?seccompProfile.?type.orValue('RuntimeDefault') in ['RuntimeDefault', 'Localhost']) &&
    variables.annotations.all(key,
      !(key == 'seccomp.security.alpha.kubernetes.io/pod' ||
        key.startsWith('container.seccomp.security.alpha.kubernetes.io/')) ||
      variables.annotations[key] in ['runtime/default', 'docker/default'] ||
      variables.annotations[key].startsWith('localhost/'))
- says: spec.securityContext.appArmorProfile, a container's, or an annotation for it, must be RuntimeDefault or Localhost
  rule: >-
    variables.contexts.all(context,
      context.?appArmorProfile.?type.orValue('RuntimeDefault') in ['RuntimeDefault', 'Localhost']) &&
    variables.annotations.all(key,
      !key.startsWith('container.apparmor.security.beta.kubernetes.io/') ||
      variables.annotations[key] in ['', 'runtime/default'] || variables.annotations[key].startsWith('localhost/'))
- says: spec.securityContext.sysctls may set only those that are the Pod's own
  rule: >-
    variables.pod.spec.?securityContext.?sysctls.orValue([]).all(sysctl, sysctl.name in
      ['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_local_reserved_ports',
       'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.ping_group_range', 'net.ipv4.tcp_fin_timeout',
       'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes', 'net.ipv4.tcp_keepalive_time',
       'net.ipv4.tcp_notsent_lowat', 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_slow_start_after_idle',
       'net.ipv4.tcp_syncookies', 'net.ipv4.tcp_wmem'])
- says: spec.containers[*] may have no probe and no lifecycle hook that names a host
  rule: >-
    variables.handlers.all(handlers, handlers.all(handler,
      handler.?httpGet.?host.orValue('') == '' && handler.?tcpSocket.?host.orValue('') == ''))
- says: spec.priorityClassName may be none of the cluster's own, which begin with system-
  rule: "!variables.pod.spec.?priorityClassName.orValue('').startsWith('system-')"
{{- end }}
