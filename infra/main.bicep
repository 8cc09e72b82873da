// The whole deployment of azd: a resource group with the app, its storage, its model and its monitoring.
// No resource accepts a key: the app signs in everywhere with one user-assigned identity.
targetScope = 'subscription'

@description('Name of the azd environment. It names the resource group and is part of every resource name.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of the app, its storage and its monitoring. It must offer Flex Consumption.')
@allowed([
  'australiaeast', 'australiasoutheast', 'brazilsouth', 'canadacentral', 'centralindia', 'centralus', 'eastasia'
  'eastus', 'eastus2', 'eastus2euap', 'francecentral', 'germanywestcentral', 'italynorth', 'japaneast', 'koreacentral'
  'northcentralus', 'northeurope', 'norwayeast', 'southafricanorth', 'southcentralus', 'southeastasia', 'southindia'
  'spaincentral', 'swedencentral', 'uaenorth', 'uksouth', 'ukwest', 'westcentralus', 'westeurope', 'westus', 'westus2'
  'westus3'
])
@metadata({ azd: { type: 'location' } })
param location string

// The app

@description('Memory of an instance. CPU and network grow with it: 2048 MB have one core.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Limit of instances. Together with httpConcurrency it limits the calls in flight to the model.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that are always ready and avoid cold starts. They are billed all the time.')
@minValue(0)
param alwaysReadyInstances int = 0

@description('Concurrent requests of an instance before another one is started, and its limit of concurrent model calls.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 100

@description('Whether the app can be reached from the internet. Without it, callers need a private endpoint of their own.')
param appPublicAccess bool = true

@description('Origins of pages that may call the app from browsers, such as https://chat.example.com, separated by commas.')
param corsOrigins string = ''

@description('How running instances are replaced. RollingUpdate lets questions finish; not every region has it yet.')
@allowed(['Recreate', 'RollingUpdate'])
param updateStrategy string = 'Recreate'

@description('Whether the app and its storage survive the loss of a zone of the region, with two instances that are billed all the time.')
param zoneRedundant bool = false

// The model

@description('Region of the model. When empty, the region of the app.')
@metadata({ azd: { type: 'location' } })
param modelLocation string = ''

@description('Name of the model to deploy.')
param modelName string = 'gpt-5.6-luna'

@description('Version of the model to deploy.')
param modelVersion string = '2026-07-09'

@description('SKU of the deployment of the model: where its calls are processed, and how they are billed. DataZoneStandard stays in the EU or the US.')
@allowed(['GlobalStandard', 'DataZoneStandard', 'Standard'])
param modelSku string = 'GlobalStandard'

@description('Quota of the deployment, in thousands of tokens a minute.')
@minValue(1)
param modelCapacity int = 50

@description('Name of the deployment of the model, also of an existing one. When empty, the name of the model.')
param modelDeploymentName string = ''

@description('Name of an existing Azure OpenAI account to use. When empty, an account and a deployment are created.')
param existingModelName string = ''

@description('Resource group of the existing Azure OpenAI account, in the same subscription.')
param existingModelResourceGroup string = ''

@description('Second region in which the same model is deployed as the fallback endpoint. When empty, there is none.')
@metadata({ azd: { type: 'location' } })
param fallbackModelLocation string = ''

// By choice

@description('Whether to create Azure Managed Redis as the answer cache that all instances share.')
param redisEnabled bool = false

@description('Size of Azure Managed Redis.')
param redisSku string = 'Balanced_B0'

@description('Whether storage, the models and Redis are reached through private endpoints only.')
param privateNetwork bool = false

@description('Client id of an Entra app registration. When set, users sign in, own their sessions, and need no function key.')
param authClientId string = ''

@description('Callers and the SHA-256 of their keys: NAME=SHA256HEX, separated by commas. When set, the app knows its callers by these keys. Excludes authClientId.')
@secure()
param callerKeys string = ''

@description('Whether to create the alerts.')
param alertsEnabled bool = true

@description('E-mail address that receives the alerts. When empty, they are shown in the portal only.')
param alertEmail string = ''

@description('Alert when more than this percentage of questions failed in 15 minutes.')
param alertFailurePercentage int = 5

@description('Alert when the 95th percentile of the time of answers is longer, in seconds.')
param alertP95Seconds int = 30

@description('Alert when more questions than this were refused by the quota of the model in 15 minutes.')
param alertRateLimitedQuestions int = 10

@description('Alert when a circuit breaker opened more often than this in 15 minutes.')
param alertBreakerOpenings int = 0

@description('Alert when more interactions than this could not be stored in 15 minutes.')
param alertLostInteractions int = 0

@description('Alert when the model is retired in fewer days than this.')
param alertModelDays int = 90

var tags = { 'azd-env-name': environmentName }
var token = toLower(uniqueString(subscription().id, environmentName, location))
var names = {
  app: 'func-${token}'
  fallback: 'oai-fallback-${token}'
  identity: 'id-${token}'
  insights: 'appi-${token}'
  model: 'oai-${token}'
  network: 'vnet-${token}'
  redis: 'redis-${token}'
  storage: 'st${token}'
  workspace: 'log-${token}'
}
var createsModel = empty(existingModelName)
var deploymentName = empty(modelDeploymentName) ? modelName : modelDeploymentName
var deployment = {
  name: deploymentName
  model: modelName
  version: modelVersion
  sku: modelSku
  capacity: modelCapacity
}
var hasFallback = !empty(fallbackModelLocation)
var signsIn = !empty(authClientId)
var modelGroupName = createsModel || empty(existingModelResourceGroup) ? group.name : existingModelResourceGroup

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: { name: names.identity, location: location, tags: tags }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: { workspaceName: names.workspace, insightsName: names.insights, location: location, tags: tags }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: { name: names.storage, location: location, tags: tags, publicAccess: !privateNetwork, zoneRedundant: zoneRedundant }
}

module model 'modules/model.bicep' = if (createsModel) {
  scope: group
  params: {
    name: names.model
    location: empty(modelLocation) ? location : modelLocation
    tags: tags
    publicAccess: !privateNetwork
    deployment: deployment
  }
}

module fallbackModel 'modules/model.bicep' = if (hasFallback) {
  scope: group
  params: {
    name: names.fallback
    location: fallbackModelLocation
    tags: tags
    publicAccess: !privateNetwork
    deployment: deployment
  }
}

module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    identityName: names.identity
    storageName: names.storage
    insightsName: names.insights
  }
  dependsOn: [identity, storage, monitoring]
}

module modelRole 'modules/model-role.bicep' = {
  scope: resourceGroup(modelGroupName)
  params: {
    identityName: names.identity
    identityGroup: group.name
    accountName: createsModel ? names.model : existingModelName
  }
  dependsOn: [identity, model]
}

module fallbackRole 'modules/model-role.bicep' = if (hasFallback) {
  scope: group
  params: { identityName: names.identity, identityGroup: group.name, accountName: names.fallback }
  dependsOn: [identity, fallbackModel]
}

module redis 'modules/redis.bicep' = if (redisEnabled) {
  scope: group
  params: {
    name: names.redis
    location: location
    tags: tags
    sku: redisSku
    publicAccess: !privateNetwork
    principalId: identity.outputs.principalId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  params: {
    name: names.network
    location: location
    tags: tags
    storageName: names.storage
    modelNames: concat(createsModel ? [names.model] : [], hasFallback ? [names.fallback] : [])
    redisNames: redisEnabled ? [names.redis] : []
  }
  dependsOn: [storage, model, fallbackModel, redis]
}

module app 'modules/app.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    names: names
    access: {
      network: privateNetwork
      public: appPublicAccess
      corsOrigins: empty(corsOrigins) ? [] : map(split(corsOrigins, ','), (origin) => trim(origin))
    }
    scale: {
      instanceMemoryMB: instanceMemoryMB
      maximumInstanceCount: maximumInstanceCount
      alwaysReadyInstances: alwaysReadyInstances
      httpConcurrency: httpConcurrency
      zoneRedundant: zoneRedundant
    }
    updateStrategy: updateStrategy
  }
  // The app starts when all that it reads is there.
  dependsOn: [roles, fallbackRole, redis, network]
}

// Authentication is turned on before the settings remove the function key, and off after they require it again: at no time
// is the app open to everyone.
module authOn 'modules/auth.bicep' = if (signsIn) {
  scope: group
  params: { appName: names.app, clientId: authClientId }
  dependsOn: [app]
}

module appSettings 'modules/app-settings.bicep' = {
  scope: group
  params: {
    names: names
    uses: { fallback: hasFallback, redis: redisEnabled }
    modelEndpoint: modelRole.outputs.endpoint
    modelDeploymentName: deploymentName
    httpConcurrency: httpConcurrency
    corsOrigins: corsOrigins
    clientId: authClientId
    callerKeys: callerKeys
  }
  dependsOn: [app, authOn]
}

module authOff 'modules/auth.bicep' = if (!signsIn) {
  scope: group
  params: { appName: names.app, clientId: '' }
  dependsOn: [appSettings]
}

module alerts 'modules/alerts.bicep' = if (alertsEnabled) {
  scope: group
  params: {
    insightsName: names.insights
    location: location
    tags: tags
    email: alertEmail
    thresholds: {
      failurePercentage: alertFailurePercentage
      p95Seconds: alertP95Seconds
      rateLimitedQuestions: alertRateLimitedQuestions
      breakerOpenings: alertBreakerOpenings
      lostInteractions: alertLostInteractions
      modelDays: alertModelDays
    }
  }
  dependsOn: [monitoring]
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: { insightsName: names.insights, location: location, tags: tags }
  dependsOn: [monitoring]
}

// azd stores the outputs in its environment and gives them to the hooks.
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = names.app
output AZURE_IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output AZURE_OPENAI_ENDPOINT string = appSettings.outputs.modelEndpoint
output AZURE_OPENAI_CHAT_DEPLOYMENT_NAME string = deploymentName
output ASK_URL string = app.outputs.url
output ASK_SIGN_IN bool = signsIn
