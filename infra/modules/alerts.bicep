// Alerts on the outcome of questions and on the end of the model. They count metrics, which are not sampled, or weigh sampled log
// lines with itemCount.
param insightsName string
param location string
param tags object

@description('Empty when the alerts are only shown in the portal.')
param email string

param thresholds {
  failurePercentage: int
  p95Seconds: int
  rateLimitedQuestions: int
  breakerOpenings: int
  lostInteractions: int
  modelDays: int
}

// A rule is checked every 15 minutes, over the last 15, unless it has another period.
var defaults = { operator: 'GreaterThan', period: 'PT15M' }

// Each query returns one row with the value `measured`, or none.
var rules = [
  {
    name: 'failure-rate'
    text: 'Many questions fail. The outcomes and what to do: docs/operations.md, Faults.'
    query: loadTextContent('../queries/alert-failure-rate.kql')
    threshold: thresholds.failurePercentage
    severity: 1
  }
  {
    name: 'p95'
    text: 'Answers take long. How to find the slow step: docs/operations.md, Slow.'
    query: loadTextContent('../queries/alert-p95.kql')
    threshold: thresholds.p95Seconds
    severity: 2
  }
  {
    name: 'model-429'
    text: 'The quota of the model is used up. Raise modelCapacity, or set fallbackModelLocation.'
    query: loadTextContent('../queries/alert-model-429.kql')
    threshold: thresholds.rateLimitedQuestions
    severity: 2
  }
  {
    name: 'breaker-open'
    text: 'An endpoint of the model failed repeatedly. The causes are in the log.'
    query: loadTextContent('../queries/alert-breaker-open.kql')
    threshold: thresholds.breakerOpenings
    severity: 1
  }
  {
    name: 'history-not-saved'
    text: 'Interactions could not be stored. The error of Table Storage is in the log.'
    query: loadTextContent('../queries/alert-history-not-saved.kql')
    threshold: thresholds.lostInteractions
    severity: 2
  }
  {
    name: 'model-retires'
    text: 'The model is retired soon. How to move to another one: docs/models.md.'
    query: loadTextContent('../queries/alert-model-retires.kql')
    operator: 'LessThan'
    threshold: thresholds.modelDays
    severity: 2
    period: 'P1D'
  }
]

@description('Names under which Service Health lists the service of the models.')
var modelServices = ['Azure OpenAI Service', 'Azure AI services', 'Azure AI Foundry', 'Microsoft Foundry']

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource receivers 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ask-alerts'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'ask'
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in map(rules, (each) => union(defaults, each)): {
    name: 'ask-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Ask: ${rule.name}'
      description: rule.text
      severity: rule.severity
      enabled: true
      scopes: [insights.id]
      evaluationFrequency: rule.period
      windowSize: rule.period
      autoMitigate: true
      // A new workspace has no tables yet.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: 'measured'
            timeAggregation: 'Maximum'
            operator: rule.operator
            threshold: rule.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: empty(email) ? [] : [receivers.id] }
    }
  }
]

// Azure announces the retirement of a model there, to everybody in the subscription.
resource announcements 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'ask-announcements'
  location: 'global'
  tags: tags
  properties: {
    description: 'Azure announced a change of its model service, such as the retirement of a model: docs/models.md.'
    enabled: true
    scopes: [subscription().id]
    condition: {
      allOf: [
        { field: 'category', equals: 'ServiceHealth' }
        {
          anyOf: [
            { field: 'properties.incidentType', equals: 'ActionRequired' }
            { field: 'properties.incidentType', equals: 'Informational' }
          ]
        }
        { field: 'properties.impactedServices[*].ServiceName', containsAny: modelServices }
      ]
    }
    actions: { actionGroups: empty(email) ? [] : [{ actionGroupId: receivers.id }] }
  }
}
