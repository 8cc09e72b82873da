// Alerts on the outcome of questions, checked every 15 minutes.
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
}

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
]

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
  for rule in rules: {
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
      evaluationFrequency: 'PT15M'
      windowSize: 'PT15M'
      autoMitigate: true
      // A new workspace has no tables yet.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: 'measured'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: empty(email) ? [] : [receivers.id] }
    }
  }
]
